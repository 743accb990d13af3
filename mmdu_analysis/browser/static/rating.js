// --- Rating: dimensions as rows, answers as columns, one key a score. Names of models are not known here.

const RATING_KEYS = [
  ["0 … 9, x", "score of the cell in focus (x is 10), then the next cell"],
  ["arrows", "another cell"],
  ["u", "undo the last score"],
  ["n / p", "next / previous turn of the plan"],
  ["o", "next turn that is not rated"],
  ["Enter", "enlarge the first image"],
  ["s", "in an enlarged image: side by side"],
  ["?", "this help"],
];

class Rater {
  constructor(root, ask, about, transport) {
    Object.assign(this, { root, ask, about, transport });
    this.pictures = new PictureCache(ask);
    this.lightbox = new Lightbox(this.pictures);
    this.help = drawHelp(RATING_KEYS);
    this.cell = { answer: 0, dimension: 0 };
    this.build();
    this.draw(this.ask({ kind: "task" }));
  }

  build() {
    const { about } = this;
    this.count = h("progress", { max: about.of, value: about.done, "aria-label": "turns rated" });
    this.countText = h("span", { class: "count", role: "status" });
    this.strip = h("div", { class: "strip", role: "group", "aria-label": "images so far", tabindex: 0 });
    this.talk = h("div", { class: "talk", tabindex: 0, role: "region", "aria-label": "conversation and answers" });
    this.grid = h("div", { class: "grid" });
    this.message = h("div", { class: "message", role: "status" });
    const mark = about.synthetic ? h("strong", { class: "synthetic" }, about.synthetic) : null;
    const tools = h("span", { class: "right" }, button("undo (u)", () => this.undo()), button("?", () => this.help.showModal(), { "aria-label": "help on keys" }));
    this.root.append(
      h("header", {}, h("h1", {}, `Rating: ${about.name}`), mark, h("span", { class: "count" }, about.rater), this.count, this.countText, tools),
      h("div", { class: "main rating" }, h("section", { class: "pane", "aria-label": "turn to rate" }, this.strip, this.talk), this.grid),
      this.message,
      this.lightbox.element,
      this.help,
    );
    listen(this);
  }

  async draw(asked) {
    const task = await asked;
    if (task.kind === "error") return this.say(task.text);
    this.counts(task);
    if (task.kind === "done") return this.finish();
    this.task = task;
    this.strip.replaceChildren(...task.images.map((image) => this.figure(image)));
    this.strip.hidden = !task.images.length;
    const before = task.before.map((turn) => this.drawTurn(turn, "turn past"));
    const now = this.drawTurn(task.now, "turn focus");
    const reference = now.querySelector(".column"); // beside the answers, not above them
    now.append(h("div", { class: "compare", tabindex: 0, role: "group", "aria-label": "reference and answers" }, ...[reference].filter(Boolean), ...task.answers.map((answer, place) => this.drawAnswer(answer, place))));
    this.talk.replaceChildren(...before, now);
    scrollTo(this.talk, now);
    this.drawGrid();
    this.focusFirst();
  }

  drawTurn(turn, kind) {
    const question = h("div", { class: "question" });
    for (const part of turn.question) {
      if (part.text !== undefined) question.append(h("span", {}, part.text));
      else if (part.image !== null) question.append(this.figure(part.image));
    }
    const reference = h("div", { class: "text" });
    if (turn.reference !== null) reference.innerHTML = turn.reference; // rendered and cleaned in Python
    const column = turn.reference === null ? null : h("div", { class: "column" }, h("h4", {}, "reference"), reference);
    return h("article", { class: kind, "data-turn": turn.turn }, h("h3", {}, `turn ${turn.turn}`), question, column);
  }

  letter(place) {
    return place < 26 ? String.fromCharCode(65 + place) : `${place + 1}`;
  }

  drawAnswer(answer, place) {
    const text = h("div", { class: "text" });
    text.innerHTML = answer.html; // rendered and cleaned in Python
    return h("div", { class: "column", "data-answer": place }, h("h4", {}, `answer ${this.letter(place)}`), text);
  }

  drawGrid() {
    const { task, about } = this;
    const head = h("tr", {}, h("td"), ...task.answers.map((_, place) => h("th", { scope: "col" }, this.letter(place))));
    const rows = about.dimensions.map(({ name }, dimension) =>
      h("tr", {}, h("th", { scope: "row" }, name), ...task.answers.map((answer, place) => h("td", {}, this.drawScore(answer, place, dimension)))),
    );
    const keys = about.values.length ? `keys ${about.values[0]} to ${about.values.at(-1) === 10 ? "9, x for 10" : about.values.at(-1)}` : `${about.scale[0]} to ${about.scale[1]}`;
    this.grid.replaceChildren(h("table", { "aria-label": "scores" }, head, ...rows), h("p", { class: "count" }, keys));
  }

  drawScore(answer, place, dimension) {
    const score = answer.scores[dimension];
    const label = `answer ${this.letter(place)}, ${this.about.dimensions[dimension].name}`;
    const focus = () => this.focus(place, dimension, false);
    if (!this.about.values.length) {
      const field = h("input", { type: "number", min: this.about.scale[0], max: this.about.scale[1], step: "any", "aria-label": label, onfocus: focus, value: score });
      field.addEventListener("change", () => field.value !== "" && this.rate(Number(field.value)));
      return field;
    }
    const shown = score === null ? "·" : String(score);
    return button(shown, focus, { class: "cell", "data-cell": `${place}-${dimension}`, "aria-label": `${label}: ${score === null ? "not rated" : shown}`, onfocus: focus });
  }

  open() {
    for (let answer = 0; answer < this.task.answers.length; answer += 1) {
      const dimension = this.task.answers[answer].scores.indexOf(null);
      if (dimension >= 0) return { answer, dimension };
    }
    return null;
  }

  focusFirst() {
    const { answer, dimension } = this.open() ?? { answer: 0, dimension: 0 };
    this.focus(answer, dimension);
  }

  focus(answer, dimension, move = true) {
    this.cell = { answer, dimension };
    for (const column of this.talk.querySelectorAll("[data-answer]")) {
      const here = Number(column.dataset.answer) === answer;
      column.classList.toggle("rated", here);
      const row = column.parentElement; // on a narrow screen the answers stand in a row that scrolls
      if (here && column.offsetLeft - row.offsetLeft + column.offsetWidth > row.scrollLeft + row.clientWidth) row.scrollLeft = column.offsetLeft - row.offsetLeft;
    }
    const field = this.grid.querySelectorAll("tr")[dimension + 1]?.children[answer + 1]?.firstChild;
    if (move) field?.focus({ preventScroll: true });
    for (const cell of this.grid.querySelectorAll(".here")) cell.classList.remove("here");
    field?.classList.add("here");
  }

  async rate(score) {
    if (this.busy) return;
    const { place } = this.task;
    const { answer, dimension } = this.cell;
    this.busy = true;
    const reply = await this.ask({ kind: "rate", place, answer, dimension, score });
    this.busy = false;
    if (reply.kind !== "rated") return this.say(reply.text);
    this.task.answers[answer].scores[dimension] = score;
    this.counts(reply);
    this.say(`saved: answer ${this.letter(answer)}, ${this.about.dimensions[dimension].name}: ${score}`);
    this.drawGrid();
    if (reply.complete) return this.draw(this.ask({ kind: "go", to: "open" }));
    return this.focusFirst();
  }

  undo() {
    return this.draw(this.ask({ kind: "undo" }));
  }

  counts({ done, of }) {
    this.count.value = done;
    this.countText.textContent = `${done} of ${of} turns rated`;
  }

  finish() {
    this.task = null;
    this.strip.hidden = true;
    this.talk.replaceChildren(h("p", { class: "done" }, "All turns of the plan are rated. Thank you! The scores are saved."));
    this.grid.replaceChildren();
    this.root.focus({ preventScroll: true });
  }

  figure(image) {
    const all = this.task.images;
    const enlarge = (number) => this.lightbox.show(this.task.dialog_id, number, all, all);
    return this.pictures.figure(this.task.dialog_id, image, { enlarge });
  }

  key(event) {
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey || this.help.open) return;
    if (this.lightbox.open) return this.lightbox.key(event);
    const typing = event.composedPath()[0].closest?.("input");
    if (typing && event.key !== "Escape") return;
    const { answer, dimension } = this.cell;
    const last = { answer: (this.task?.answers.length ?? 1) - 1, dimension: this.about.dimensions.length - 1 };
    const actions = {
      u: () => this.undo(),
      n: () => this.draw(this.ask({ kind: "go", by: 1 })),
      p: () => this.draw(this.ask({ kind: "go", by: -1 })),
      o: () => this.draw(this.ask({ kind: "go", to: "open" })),
      "?": () => this.help.showModal(),
    };
    if (this.task) {
      Object.assign(actions, {
        ArrowDown: () => this.focus(answer, Math.min(dimension + 1, last.dimension)),
        ArrowUp: () => this.focus(answer, Math.max(dimension - 1, 0)),
        ArrowRight: () => this.focus(Math.min(answer + 1, last.answer), dimension),
        ArrowLeft: () => this.focus(Math.max(answer - 1, 0), dimension),
      });
      const image = this.task.images[0];
      if (!event.composedPath()[0].closest?.("figure, header")) actions.Enter = () => image !== undefined && this.lightbox.show(this.task.dialog_id, image, this.task.images, this.task.images);
      for (const value of this.about.values) actions[value === 10 ? "x" : String(value)] = () => this.rate(value);
    }
    if (!(event.key in actions)) return;
    event.preventDefault();
    if (!event.repeat || event.key.startsWith("Arrow")) actions[event.key]();
  }

  say(text) {
    this.message.textContent = text ?? "";
  }
}
