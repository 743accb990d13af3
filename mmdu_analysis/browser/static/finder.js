// --- Finding: the search field, the filters and the list of dialogues.

const ROW = 52; // height of a row in the list, in pixels
const AHEAD = 10; // rows asked for beyond the view
const ORDERS = {
  file: "as in the file",
  given: "as given",
  turns: "most turns",
  images: "most images",
  tokens: "most tokens",
  worst: "lowest score first",
  score: "highest score first",
  disagreement: "largest disagreement",
};
const MANY = 1_000_000;

class Finder {
  // `page` has ask, about, pictures, say, showDialog, dialog.
  constructor(page) {
    this.page = page;
    this.rows = new Map();
    this.place = -1;
    const change = () => this.apply();
    this.query = h("input", { type: "search", placeholder: "search", "aria-label": "search questions, references and answers" });
    this.query.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(change, 200);
    });
    this.count = h("span", { class: "count", role: "status" });
    this.space = h("div", { class: "space", role: "presentation" });
    this.list = h("div", { class: "list", role: "listbox", tabindex: 0, "aria-label": "dialogues" }, this.space);
    this.list.addEventListener("scroll", () => this.fill(false));
    this.controls = this.build(page.about, change);
    this.set(page.about.filters ?? {});
  }

  build(about, change) {
    const models = (names, first) => [["", first], ...names.map((name) => [name, name])];
    const controls = {
      whole_word: checkbox("whole word", change, { title: "whole words only", mark: "word" }),
      regex: checkbox("regular expression", change, { title: "regular expression", mark: ".*" }),
      fields: this.fieldsControl(about, change),
      turns: range("turns", 0, about.most_turns, change, { unlimited: MANY }),
      images: range("images", 0, about.most_images, change, { unlimited: MANY }),
      kind: choice("kind", [["", "any"], ...about.kinds.map((kind) => [kind, kind])], change),
      about: range("images asked about", 0, about.most_images, change, { unlimited: MANY }),
      progress: range("progress", 0, 1, change, { step: 0.01 }),
      distance: range("turns since shown", 0, Math.max(1, about.most_turns), change, { unlimited: MANY }),
      tag: choice("tag", [["", "any"], ["*", "noted"], ...about.tags.map((tag) => [tag, tag])], change),
      order: choice("order", about.orders.filter((name) => this.offered(name, about)).map((name) => [name, ORDERS[name]]), change),
    };
    if (about.models.length) controls.model = choice("model", models(about.models, "all"), change);
    if (!about.scored.length) return controls;
    controls.score = range("score", 0, 100, change);
    controls.wrong = choice("wrong", models(about.scored, "any"), change);
    controls.right = choice("right", models(about.scored, "any"), change);
    if (about.scored.length > 1) {
      controls.above = choice("higher", models(about.scored, "any"), change);
      controls.below = choice("lower", models(about.scored, "any"), change);
      const points = h("input", { type: "number", min: 0, max: 100, value: 10, "aria-label": "by at least, points", onchange: change });
      controls.points = {
        element: h("label", {}, h("span", { class: "label" }, "by at least"), points, "points"),
        value: () => Number(points.value) || 0,
        set: (wanted) => (points.value = wanted ?? 10),
      };
    }
    return controls;
  }

  offered(name, about) {
    if (["worst", "score"].includes(name)) return about.scored.length > 0;
    return name !== "disagreement" || about.scored.length > 1;
  }

  fieldsControl(about, change) {
    const boxes = about.fields.map((name) => [name, checkbox(name, change, { title: `search in ${name}s` })]);
    boxes.forEach(([, box]) => box.set(true));
    return {
      element: h("span", { class: "group", role: "group", "aria-label": "search in" }, ...boxes.map(([, box]) => box.element)),
      value: () => boxes.filter(([, box]) => box.value()).map(([name]) => name),
      set: (wanted) => boxes.forEach(([name, box]) => box.set(!wanted || wanted.includes(name))),
    };
  }

  // The row of the header and the panel of filters, by what they are about.
  drawSearch() {
    const { whole_word: whole, regex } = this.controls;
    return h("span", { class: "search", role: "search" }, this.query, whole.element, regex.element);
  }

  drawFilters() {
    const part = (title, names) => {
      const shown = names.filter((name) => this.controls[name]).map((name) => this.controls[name].element);
      return shown.length ? h("div", { class: "part" }, h("b", {}, title), ...shown) : null;
    };
    const compared = this.controls.wrong ? part("compare", ["wrong", "right", "above", "below", "points"]) : null;
    this.panel = h(
      "div",
      { class: "filters", role: "group", "aria-label": "filters" },
      part("show", ["order", "model", "score", "tag"]),
      part("dialogue", ["turns", "images"]),
      part("question", ["kind", "about", "progress", "distance"]),
      compared,
      part("search in", ["fields"]),
      button("reset", () => this.reset(), { class: "reset" }),
    );
    return this.panel;
  }

  drawList() {
    const scored = this.page.about.scored.length ? " · mean score" : "";
    return h("nav", { "aria-label": "dialogues" }, h("div", { class: "columns" }, h("b", {}, "dialogue"), h("span", {}, `turns · images · tokens${scored}`)), this.list);
  }

  value() {
    const wanted = { query: this.query.value };
    for (const [name, control] of Object.entries(this.controls)) wanted[name] = control.value();
    if (!wanted.above || !wanted.below) delete wanted.points;
    return wanted;
  }

  set(filters) {
    this.query.value = filters.query ?? "";
    for (const [name, control] of Object.entries(this.controls)) control.set(filters[name]);
  }

  // What marks the hits of the search.
  hits() {
    return { query: this.query.value, regex: this.controls.regex.value(), whole_word: this.controls.whole_word.value() };
  }

  async apply() {
    const filters = this.value();
    const wanted = JSON.stringify(filters);
    this.latest = wanted;
    const answer = await this.page.ask({ kind: "filter", filters });
    if (this.latest !== wanted) return;
    this.waiting = answer.kind === "error" && Boolean(this.page.about.loading); // it is applied once all is loaded
    this.query.setAttribute("aria-invalid", String(answer.kind === "error" && !this.waiting));
    if (answer.kind === "error") return this.page.say(answer.text);
    this.page.say("");
    await this.refresh();
  }

  async refresh() {
    this.list.scrollTop = 0;
    const selection = await this.page.ask({ kind: "list", start: 0, count: 0 });
    this.counts(selection);
    await this.page.reopen();
    await this.fill(true);
    this.showRow();
  }

  reset() {
    this.set({ order: this.page.about.orders.includes("given") ? "given" : undefined });
    this.apply();
  }

  counts(answer) {
    if (answer.n_dialogs === undefined) return;
    const turns = answer.narrowed ? `, ${answer.n_turns.toLocaleString("en")} turns` : "";
    this.count.textContent = `${answer.n_dialogs.toLocaleString("en")} of ${answer.of.toLocaleString("en")} dialogues${turns}`;
    this.space.style.height = `${answer.n_dialogs * ROW}px`;
    this.place = answer.place;
  }

  async fill(anew) {
    const first = Math.max(0, Math.floor(this.list.scrollTop / ROW) - AHEAD);
    const count = Math.ceil(this.list.clientHeight / ROW) + 2 * AHEAD;
    if (!anew && first === this.first && count === this.asked) return;
    [this.first, this.asked] = [first, count];
    const answer = await this.page.ask({ kind: "list", start: first, count });
    if (answer.kind !== "list" || this.first !== first) return;
    this.counts(answer);
    this.rows.clear();
    const drawn = answer.rows.map((row, place) => this.drawRow(row, first + place, answer));
    this.space.replaceChildren(...drawn);
    this.markRow();
  }

  drawRow(row, place, answer) {
    const parts = [`${row.turns} turns`, `${row.images} img`];
    if (row.tokens !== null) parts.push(`${answer.exact ? "" : "~"}${thousands(row.tokens)}k`);
    if (row.hits !== null && row.hits !== undefined) parts.unshift(`${row.hits} found`);
    const score = row.score === undefined ? null : h("span", { class: "score", title: "mean score, 0-100" }, h("i", { class: "swatch", style: `background:${scoreColour(row.score)}` }), row.score === null ? "–" : row.score.toFixed(0));
    const picture = h("span", { class: "mini" });
    if (row.image !== null) {
      this.page.pictures.get(row.dialog_id, row.image, "mini").then(({ url }) => url && picture.append(h("img", { src: url, alt: "" })));
    }
    const element = h(
      "div",
      {
        class: "row",
        role: "option",
        id: `row-${place}`,
        "aria-setsize": answer.n_dialogs,
        "aria-posinset": place + 1,
        style: `top:${place * ROW}px`,
        onclick: () => this.page.open({ dialog_id: row.dialog_id }),
      },
      picture,
      h("span", { class: "lines" }, h("span", { class: "line" }, h("b", {}, row.dialog_id), h("span", { class: "facts" }, parts.join(" · ")), score), h("span", { class: "words" }, row.words)),
    );
    this.rows.set(row.dialog_id, element);
    return element;
  }

  markRow() {
    for (const [id, element] of this.rows) {
      const here = id === this.page.dialog?.selection.dialog_id;
      element.setAttribute("aria-selected", String(here));
      if (here) this.list.setAttribute("aria-activedescendant", element.id);
    }
  }

  showRow() {
    if (this.place < 0) return;
    const [top, bottom] = [this.place * ROW, (this.place + 1) * ROW];
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    if (bottom > this.list.scrollTop + this.list.clientHeight) this.list.scrollTop = bottom - this.list.clientHeight;
    this.markRow();
  }
}
