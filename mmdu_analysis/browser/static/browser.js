// The dialogue browser's page: one module, no build step. It draws what a Session (session.py) answers.
// Texts are set as textContent; the only HTML is Markdown that was rendered and cleaned in Python.

const ROW = 30; // height of a row in the list, in pixels
const AHEAD = 15; // rows asked for beyond the view
const KEYS = [
  ["j / k", "next / previous dialogue"],
  ["n / p", "next / previous turn"],
  ["N / P", "next / previous turn that the filters leave, in any dialogue"],
  ["/", "search"],
  ["Enter", "enlarge the first image that the question is about"],
  ["d", "mark the words that differ from the reference"],
  ["r", "the judge's reasons"],
  ["t", "add a tag"],
  ["c", "copy the line of Python that opens this turn"],
  ["?", "this help"],
  ["Esc", "close, or leave a field"],
];

// h("p", {class: "x"}, "text", child): an element; strings become text nodes, never markup.
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function field(label, control) {
  return h("label", {}, label, control);
}

function range(label, low, high, change) {
  const inputs = ["least", "most"].map((end, place) =>
    h("input", { type: "number", min: low, max: high, value: place ? high : low, "aria-label": `${label}, ${end}` }),
  );
  inputs.forEach((input) => input.addEventListener("change", change));
  const value = () => inputs.map((input, place) => (input.value === "" ? [low, high][place] : Number(input.value)));
  const reset = () => inputs.forEach((input, place) => (input.value = place ? high : low));
  return { element: h("span", { class: "range" }, label, " ", inputs[0], "..", inputs[1]), value, reset };
}

function choice(label, options, change) {
  const select = h("select", { "aria-label": label, onchange: change });
  for (const [value, text] of options) select.append(h("option", { value }, text));
  return { element: field(`${label} `, select), value: () => select.value, reset: () => (select.selectedIndex = 0) };
}

// Mark a text in what is drawn, node by node.
function markHits(element, query) {
  if (!query) return;
  const wanted = query.toLowerCase();
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  for (let node of nodes) {
    for (let at; (at = node.data.toLowerCase().indexOf(wanted)) >= 0; ) {
      const hit = node.splitText(at);
      node = hit.splitText(Math.min(wanted.length, hit.length));
      const mark = h("mark");
      hit.replaceWith(mark);
      mark.append(hit);
    }
  }
}

class Page {
  constructor(root, ask) {
    this.root = root;
    this.ask = ask;
    this.pictures = new Map();
    this.differences = false;
    this.reasons = false;
    this.hidden = new Set();
    this.rows = new Map();
    this.dialog = null;
  }

  async start() {
    this.about = await this.ask({ kind: "start" });
    this.build();
    await this.showDialog(await this.ask({ kind: "open", ...this.about.selection }));
    this.fillList(true);
  }

  build() {
    const about = this.about;
    const change = () => this.filter();
    this.search = h("input", { type: "search", placeholder: "search", "aria-label": "search questions, references and answers" });
    this.search.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(change, 200);
    });
    this.count = h("span", { class: "count", role: "status" });
    this.controls = {
      turns: range("turns", 0, about.most_turns, change),
      images: range("images", 0, about.most_images, change),
      kind: choice("kind", [["", "any"], ...about.kinds.map((kind) => [kind, kind])], change),
      tag: choice("tag", [["", "any"], ["*", "noted"], ...about.tags.map((tag) => [tag, tag])], change),
    };
    if (about.models.length) {
      this.controls.model = choice("model", [["", "all"], ...about.models.map((model) => [model, model])], change);
    }
    if (about.scored) this.controls.score = range("score", 0, 100, change);
    const names = { file: "as in the file", turns: "most turns", images: "most images", tokens: "most tokens" };
    if (about.scored) Object.assign(names, { worst: "worst first", score: "best first" });
    if (about.compared) names.disagreement = "largest disagreement";
    this.controls.order = choice("order", Object.entries(names), change);
    const reset = h("button", { type: "button", onclick: () => this.reset() }, "reset");
    this.space = h("div", { class: "space", role: "presentation" });
    this.list = h("div", { class: "list", role: "listbox", tabindex: 0, "aria-label": "dialogues" }, this.space);
    this.list.addEventListener("scroll", () => this.fillList(false));
    this.title = h("h2", { class: "title" });
    this.strip = h("div", { class: "strip", role: "group", "aria-label": "images so far" });
    this.talk = h("div", { class: "talk", tabindex: 0, "aria-label": "conversation" });
    this.message = h("div", { class: "message", role: "status" });
    this.lightbox = h("dialog", { class: "lightbox", "aria-label": "enlarged image", onclick: () => this.lightbox.close() });
    this.help = h(
      "dialog",
      { class: "help", "aria-label": "keys", onclick: () => this.help.close() },
      h("h2", {}, "Keys"),
      h("dl", {}, ...KEYS.flatMap(([key, text]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, text)])),
    );
    const columns = h("div", { class: "columns" }, h("b", {}, "dialogue"), h("span", {}, `turns, images, tokens${about.scored ? ", score" : ""}`));
    const mark = about.synthetic ? h("strong", { class: "synthetic" }, about.synthetic) : null;
    const problems = about.problems ? h("span", { class: "count" }, `${about.problems} problems in the data, see bench.problems`) : null;
    this.root.append(
      h(
        "header",
        {},
        h("h1", {}, about.name),
        mark,
        this.count,
        problems,
        h("span", { class: "right" }, this.search, h("button", { type: "button", "aria-label": "help on keys", onclick: () => this.help.showModal() }, "?")),
      ),
      h("div", { class: "filters", role: "group", "aria-label": "filters" }, ...Object.values(this.controls).map((c) => c.element), reset),
      h("div", { class: "main" }, h("nav", { "aria-label": "dialogues" }, columns, this.list), h("section", { class: "pane", "aria-label": "dialogue" }, this.title, this.strip, this.talk)),
      this.message,
      this.lightbox,
      this.help,
    );
    this.root.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.fillList(false)).observe(this.list);
  }

  // --- finding

  filters() {
    const wanted = { query: this.search.value };
    for (const [name, control] of Object.entries(this.controls)) wanted[name] = control.value();
    return wanted;
  }

  async filter() {
    const query = JSON.stringify(this.filters());
    this.latest = query;
    const answer = await this.ask({ kind: "filter", filters: this.filters() });
    if (this.latest !== query || answer.kind === "error") return this.say(answer.text);
    this.list.scrollTop = 0;
    await this.showDialog(await this.ask({ kind: "open", ...answer.selection }));
    this.fillList(true);
  }

  reset() {
    this.search.value = "";
    Object.values(this.controls).forEach((control) => control.reset());
    this.filter();
  }

  counts(answer) {
    const query = this.search.value ? `, ${answer.n_turns.toLocaleString()} turns` : "";
    this.count.textContent = `${answer.n_dialogs.toLocaleString()} of ${answer.of.toLocaleString()} dialogues${query}`;
    this.space.style.height = `${answer.n_dialogs * ROW}px`;
    this.place = answer.place;
  }

  // Only the rows in view exist; what is drawn already is kept.
  async fillList(anew) {
    const first = Math.max(0, Math.floor(this.list.scrollTop / ROW) - AHEAD);
    const count = Math.ceil(this.list.clientHeight / ROW) + 2 * AHEAD;
    if (!anew && first === this.first && count === this.asked) return;
    [this.first, this.asked] = [first, count];
    const answer = await this.ask({ kind: "list", start: first, count });
    if (answer.kind !== "list" || this.first !== first) return;
    this.counts(answer);
    this.rows.clear();
    const about = (row) => (answer.exact ? "" : "~") + (row.tokens / 1000).toFixed(1);
    const drawn = answer.rows.map((row, place) => {
      const score = row.score === undefined ? null : h("span", { title: "mean score, 0-100" }, row.score === null ? "-" : row.score.toFixed(0));
      const element = h(
        "div",
        {
          class: "row",
          role: "option",
          id: `row-${first + place}`,
          "aria-setsize": answer.n_dialogs,
          "aria-posinset": first + place + 1,
          style: `top:${(first + place) * ROW}px`,
          onclick: () => this.open({ dialog_id: row.dialog_id }),
        },
        h("b", {}, row.dialog_id),
        h("span", {}, `${row.turns} turns`),
        h("span", {}, `${row.images} img`),
        h("span", { title: "text tokens" }, `${about(row)}k`),
        score,
      );
      this.rows.set(row.dialog_id, element);
      return element;
    });
    this.space.replaceChildren(...drawn);
    this.markRow();
  }

  markRow() {
    for (const [id, element] of this.rows) {
      const here = id === this.dialog?.selection.dialog_id;
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

  // --- reading

  async open(target) {
    await this.showDialog(await this.ask({ kind: "open", ...target }));
  }

  async showDialog(answer) {
    if (answer.kind !== "dialog") return this.say(answer.text);
    this.dialog = answer;
    this.counts(answer);
    this.articles = answer.turns.map((turn) => this.drawTurn(turn));
    this.talk.replaceChildren(...this.articles.map((article) => article.element));
    if (!answer.turns.length) this.talk.append(h("p", {}, "This dialogue has no turns."));
    markHits(this.talk, this.search.value);
    this.focusTurn(answer.selection, answer.focus);
    this.showRow();
  }

  drawTurn(turn) {
    const question = h("div", { class: "question" });
    for (const part of turn.question) {
      if (part.text !== undefined) question.append(h("span", {}, part.text));
      else question.append(part.image === null ? h("span", { class: "lost" }, "[image not listed]") : this.figure(part.image));
    }
    const reference = h("div", { class: "text" });
    if (turn.reference === null) reference.append(h("em", {}, "no reference"));
    else reference.innerHTML = turn.reference; // rendered and cleaned in Python
    const about = turn.about.length ? ` · asks about ${turn.about.map((image) => `Image${image}`).join(", ")}` : "";
    const numbers = `${turn.question_tokens + turn.answer_tokens} tokens · context ${(turn.context / 1000).toFixed(1)}k${about}`;
    const column = h("div", { class: "column" }, h("h4", {}, "reference", h("small", {}, ` ${turn.answer_tokens} tokens`)), reference);
    const compare = h("div", { class: "compare" }, column);
    const extra = h("div", { class: "extra" });
    const element = h(
      "article",
      { class: turn.hit ? "turn" : "turn other", "data-turn": turn.turn },
      h("h3", {}, `turn ${turn.turn}`, h("small", {}, ` ${numbers}`), turn.noted ? h("span", { class: "flag", title: "noted" }, " ●") : null),
      question,
      compare,
      extra,
    );
    element.addEventListener("click", (event) => {
      if (!element.classList.contains("focus") && !event.target.closest("button, figure")) this.goTo(turn.turn);
    });
    return { element, compare, column, extra, turn };
  }

  async goTo(turn) {
    if (!this.dialog || turn < 1 || turn > this.dialog.turns.length) return;
    const answer = await this.ask({ kind: "turn", turn });
    if (answer.kind === "turn") this.focusTurn(answer.selection, answer.focus);
  }

  focusTurn(selection, focus) {
    this.dialog.selection = selection;
    this.focus = focus;
    for (const { element, compare, column, extra, turn } of this.articles) {
      const here = turn.turn === selection.turn;
      if (!here && element.classList.contains("focus")) {
        compare.replaceChildren(column);
        extra.replaceChildren();
      }
      element.classList.toggle("focus", here);
      element.setAttribute("aria-current", String(here));
    }
    this.drawFocus();
    const article = this.articles.find((one) => one.turn.turn === selection.turn);
    const turn = article?.turn;
    const kinds = turn && turn.about.length ? ` · asks about ${turn.about.map((image) => `Image${image}`).join(", ")}` : "";
    this.title.textContent =
      `dialogue ${this.dialog.dialog_id} · turn ${selection.turn} of ${this.dialog.turns.length}` +
      (turn ? ` · context ${(turn.context / 1000).toFixed(1)}k tokens${kinds}` : "");
    const shown = this.dialog.images.slice(0, turn ? turn.so_far : undefined);
    this.strip.replaceChildren(...shown.map(({ image }) => this.figure(image, turn?.about.includes(image))));
    if (article) this.talk.scrollTop = article.element.offsetTop; // not scrollIntoView, which moves the notebook too
    this.markRow();
  }

  drawFocus() {
    const article = this.articles.find((one) => one.turn.turn === this.dialog.selection.turn);
    if (!article) return;
    const columns = this.focus.answers.filter((answer) => !this.hidden.has(answer.model)).map((answer) => this.drawAnswer(answer));
    article.compare.replaceChildren(article.column, ...columns);
    const toggles = this.focus.answers.map(({ model }) => {
      const box = h("input", { type: "checkbox" });
      box.checked = !this.hidden.has(model);
      box.addEventListener("change", () => {
        this.hidden[box.checked ? "delete" : "add"](model);
        this.drawFocus();
      });
      return field("", h("span", {}, box, model));
    });
    const press = (text, pressed, action) => h("button", { type: "button", "aria-pressed": String(pressed), onclick: action }, text);
    const buttons = this.focus.answers.length
      ? [press("differences (d)", this.differences, () => this.toggle("differences")), press("reasons (r)", this.reasons, () => this.toggle("reasons"))]
      : [];
    const copy = h("button", { type: "button", onclick: () => this.copy() }, "copy the line that opens this turn (c)");
    article.extra.replaceChildren(h("div", { class: "tools" }, ...toggles, ...buttons, copy), this.drawNote());
    columns.forEach((column) => markHits(column, this.search.value));
    if (this.differences) this.drawDifferences(article);
  }

  drawAnswer(answer) {
    const text = h("div", { class: "text" });
    if (answer.html === null) text.append(h("em", {}, "no answer"));
    else text.innerHTML = answer.html; // rendered and cleaned in Python
    const bars = answer.scores.map(({ name, full, score }) =>
      h(
        "span",
        { class: "bar", title: `${full}: ${score === null ? "missing" : `${score} of 10`}` },
        h("span", { class: "label" }, name),
        h("span", { class: "track" }, h("span", { class: "fill", style: `width:${(score ?? 0) * 10}%` })),
        h("span", { class: "value" }, score === null ? "-" : String(score)),
      ),
    );
    const reason = this.reasons && answer.reason ? h("div", { class: "reason" }, answer.reason) : null;
    const tokens = answer.tokens === null ? "" : ` ${answer.tokens} tokens`;
    const column = h("div", { class: "column" }, h("h4", {}, answer.model, h("small", {}, tokens)), h("div", { class: "bars" }, ...bars), text, reason);
    column.dataset.model = answer.model;
    return column;
  }

  async drawDifferences(article) {
    for (const column of article.compare.querySelectorAll(".column[data-model]")) {
      const answer = await this.ask({ kind: "differences", model: column.dataset.model });
      if (answer.kind !== "differences" || answer.selection.turn !== this.dialog.selection.turn || !answer.parts.length) continue;
      const names = { same: "span", new: "ins", gone: "del" };
      column.querySelector(".text").replaceChildren(...answer.parts.map(([what, text]) => h(names[what], {}, text)));
    }
  }

  toggle(what) {
    this[what] = !this[what];
    this.drawFocus();
  }

  drawNote() {
    const { dialog_id, turn } = this.dialog.selection;
    const { tags, note } = this.focus.note;
    const save = async (newTags, newNote) => {
      const answer = await this.ask({ kind: "note", dialog_id, turn, tags: newTags, note: newNote });
      if (answer.kind !== "noted") return this.say(answer.text);
      this.focus.note = answer.note;
      this.drawFocus();
      this.say("saved");
    };
    const chips = tags.map((tag) =>
      h("button", { type: "button", class: "tag", "aria-label": `remove tag ${tag}`, onclick: () => save(tags.filter((one) => one !== tag), text.value) }, tag, " ×"),
    );
    const known = h("datalist", { id: "mmdu-tags" }, ...this.about.tags.map((tag) => h("option", { value: tag })));
    this.tagField = h("input", { type: "text", list: "mmdu-tags", placeholder: "tag", "aria-label": "add a tag" });
    this.tagField.addEventListener("change", () => this.tagField.value.trim() && save([...tags, this.tagField.value], text.value));
    const text = h("textarea", { rows: 1, placeholder: "note", "aria-label": "note on this turn" });
    text.value = note;
    text.addEventListener("change", () => save(tags, text.value));
    return h("div", { class: "note" }, ...chips, known, this.tagField, text);
  }

  // --- pictures

  picture(image, size) {
    const dialog_id = this.dialog.dialog_id;
    const key = `${size}/${image}/${dialog_id}`;
    if (!this.pictures.has(key)) {
      if (this.pictures.size > 300) {
        for (const old of this.pictures.values()) old.then((p) => p.url && URL.revokeObjectURL(p.url));
        this.pictures.clear();
      }
      const asked = this.ask({ kind: "picture", dialog_id, image, size }).then((answer) => {
        if (answer.kind !== "picture" || !answer.buffers?.length) return { problem: answer.problem ?? answer.text };
        return { url: URL.createObjectURL(new Blob([answer.buffers[0]], { type: answer.mime })) };
      });
      this.pictures.set(key, asked);
    }
    return this.pictures.get(key);
  }

  figure(image, named = false) {
    const path = this.dialog.images.find((one) => one.image === image)?.path ?? "";
    const button = h("button", { type: "button", "aria-label": `enlarge Image${image}`, onclick: () => this.enlarge(image) });
    this.picture(image, "thumb").then(({ url, problem }) => {
      if (url) button.append(h("img", { src: url, alt: `Image${image}` }));
      else button.replaceWith(h("span", { class: "lost", role: "img", "aria-label": `Image${image} is not shown: ${problem}` }, h("code", {}, path), h("br"), problem));
    });
    return h("figure", { class: named ? "named" : "", "data-image": image }, button, h("figcaption", {}, `Image${image}`));
  }

  async enlarge(image) {
    const { url, problem } = await this.picture(image, "full");
    const content = url ? h("img", { src: url, alt: `Image${image}` }) : h("p", {}, problem);
    this.lightbox.replaceChildren(content, h("p", {}, `Image${image} of dialogue ${this.dialog.dialog_id}`, h("small", {}, "  Esc closes")));
    if (!this.lightbox.open) this.lightbox.showModal();
  }

  // --- keys and small things

  key(event) {
    event.stopPropagation();
    const typing = event.composedPath()[0].closest?.("input, textarea, select");
    if (event.key === "Escape" && typing) {
      typing.blur();
      return this.root.focus();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
    if (this.lightbox.open || this.help.open) return;
    const turn = this.dialog?.selection.turn ?? 0;
    const step = async (by, of) => this.showDialog(await this.ask({ kind: "step", by, of }));
    const actions = {
      j: () => step(1, "dialog"),
      k: () => step(-1, "dialog"),
      n: () => this.goTo(turn + 1),
      p: () => this.goTo(turn - 1),
      N: () => step(1, "turn"),
      P: () => step(-1, "turn"),
      "/": () => this.search.focus(),
      d: () => this.toggle("differences"),
      r: () => this.toggle("reasons"),
      t: () => this.tagField?.focus(),
      c: () => this.copy(),
      "?": () => this.help.showModal(),
    };
    if (event.key === "Enter" && !event.composedPath()[0].closest?.("button")) {
      const about = this.articles?.find((one) => one.turn.turn === turn)?.turn.about ?? [];
      const first = about[0] ?? this.dialog?.images[0]?.image;
      actions.Enter = () => first !== undefined && this.enlarge(first);
    }
    if (event.composedPath()[0] === this.list) Object.assign(actions, { ArrowDown: actions.j, ArrowUp: actions.k });
    if (!(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
  }

  async copy() {
    const { dialog_id, turn } = this.dialog.selection;
    const line = `mmdu.browse(${this.about.source}).open(${JSON.stringify(dialog_id)}, ${turn})`;
    try {
      await navigator.clipboard.writeText(line);
      this.say(`copied: ${line}`);
    } catch {
      this.say(line); // no access to the clipboard: the line can be copied from here
    }
  }

  say(text) {
    this.message.textContent = text ?? "";
  }
}

// Draw the page into an element. `transport` has send(message) and receive(callback(message, buffers)).
export function mount(element, transport, css) {
  const shadow = element.attachShadow({ mode: "open" });
  // JupyterLab's own shortcuts (j, k, d d, ...) must not act on keys that are meant for this page.
  element.setAttribute("data-lm-suppress-shortcuts", "true");
  const root = h("div", { class: "mmdu", tabindex: 0, role: "group", "aria-label": "dialogue browser" });
  shadow.append(h("style", {}, css), root);
  const waiting = new Map();
  let ticket = 0;
  const ask = (message) =>
    new Promise((resolve) => {
      waiting.set((ticket += 1), resolve);
      transport.send({ ...message, ticket });
    });
  const page = new Page(root, ask);
  transport.receive((message, buffers) => {
    const answer = { ...message, buffers };
    if (waiting.has(message.ticket)) {
      waiting.get(message.ticket)(answer);
      waiting.delete(message.ticket);
    } else if (message.kind === "dialog" && page.about) {
      page.showDialog(answer); // Python's view.open(...)
    }
  });
  page.start();
  return page;
}

export default {
  render({ model, el }) {
    const receive = (callback) => model.on("msg:custom", callback);
    mount(el, { send: (message) => model.send(message), receive }, model.get("_css_text"));
  },
};
