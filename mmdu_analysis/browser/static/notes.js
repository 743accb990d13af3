// --- Tags and a note of the reader, on the turn in focus.

function drawNote(page, { dialog_id, turn }, current) {
  const { tags, note } = current.note;
  const save = async (newTags, newNote) => {
    const answer = await page.ask({ kind: "note", dialog_id, turn, tags: newTags, note: newNote });
    if (answer.kind !== "noted") return page.say(answer.text);
    current.note = answer.note;
    page.reader.drawFocus();
    page.say("saved");
  };
  const chips = tags.map((tag) => button(`${tag} ×`, () => save(tags.filter((one) => one !== tag), text.value), { class: "tag", "aria-label": `remove tag ${tag}` }));
  const known = h("datalist", { id: "mmdu-tags" }, ...page.about.tags.map((tag) => h("option", { value: tag })));
  const field = h("input", { type: "text", class: "tag-field", list: "mmdu-tags", placeholder: "tag (t)", "aria-label": "add a tag" });
  field.addEventListener("change", () => field.value.trim() && save([...tags, field.value], text.value));
  const text = h("textarea", { rows: 1, placeholder: "note", "aria-label": "note on this turn" });
  text.value = note;
  text.addEventListener("change", () => save(tags, text.value));
  return h("div", { class: "note" }, ...chips, known, field, text);
}
