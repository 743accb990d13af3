// --- Reading: the conversation, its images, the turns at a glance, the answers of the turn in focus.

class Reader {
  constructor(page) {
    this.page = page;
    this.hidden = new Set();
    this.differences = false;
    this.reasons = false;
    this.all = page.about.answered && page.about.referenced < 0.5; // else the conversation would be empty
    this.title = h("h2", { class: "title" });
    this.map = h("div", { class: "map", role: "group", "aria-label": "turns" });
    this.strip = h("div", { class: "strip", role: "group", "aria-label": "images so far", tabindex: 0 });
    this.talk = h("div", { class: "talk", tabindex: 0, role: "region", "aria-label": "conversation" });
  }

  draw() {
    return h("section", { class: "pane", "aria-label": "dialogue" }, this.title, this.map, this.strip, this.talk);
  }

  get turn() {
    return this.articles?.find((one) => one.turn.turn === this.dialog.selection.turn);
  }

  async show(answer) {
    this.dialog = answer;
    this.answers = {};
    this.articles = answer.turns.map((turn) => this.drawTurn(turn));
    this.talk.replaceChildren(...this.articles.map((article) => article.element));
    if (!answer.turns.length) this.talk.append(h("p", {}, "This dialogue has no turns."));
    markHits(this.talk, this.page.hits());
    this.map.replaceChildren(...answer.turns.map((turn) => this.drawCell(turn)));
    this.focus(answer);
    if (this.all) await this.showAll();
  }

  drawTurn(turn) {
    const question = h("div", { class: "question" });
    for (const part of turn.question) {
      if (part.text !== undefined) question.append(h("span", {}, part.text));
      else question.append(part.image === null ? h("span", { class: "lost" }, "[image not listed]") : this.figure(part.image));
    }
    const numbers = turn.context === undefined ? [] : [`${turn.question_tokens + turn.answer_tokens} tokens`, `context ${thousands(turn.context)}k`];
    if (turn.about.length) numbers.push(`asks about ${list(turn.about)}`);
    const column = this.drawReference(turn);
    if (!column && this.page.about.referenced) numbers.push("no reference"); // quiet where the set has none
    const compare = h("div", { class: "compare", tabindex: 0, role: "group", "aria-label": `reference and answers of turn ${turn.turn}` }, column);
    const extra = h("div", { class: "extra" });
    const element = h(
      "article",
      { class: turn.hit ? "turn" : "turn other", "data-turn": turn.turn },
      h("h3", {}, `turn ${turn.turn}`, h("small", {}, ` ${numbers.join(" · ")}`), turn.noted ? h("span", { class: "flag", title: "noted" }, " ●") : null),
      question,
      compare,
      extra,
    );
    element.addEventListener("click", (event) => {
      if (!element.classList.contains("focus") && !event.target.closest("button, figure")) this.goTo(turn.turn);
    });
    return { element, compare, column, extra, turn };
  }

  drawReference(turn) {
    if (turn.reference === null) return null;
    const text = h("div", { class: "text" });
    text.innerHTML = turn.reference; // rendered and cleaned in Python
    return h("div", { class: "column" }, h("h4", {}, "reference", h("small", {}, ` ${turn.answer_tokens} tokens`)), text);
  }

  drawCell(turn) {
    const score = turn.score === null ? "" : `, score ${turn.score.toFixed(0)}`;
    const about = turn.about.length ? `, asks about ${list(turn.about)}` : "";
    const text = `turn ${turn.turn}${score}${about}${turn.noted ? ", noted" : ""}`;
    const style = turn.score === null ? "" : `--colour:${scoreColour(turn.score)}`;
    return button(String(turn.turn), () => this.goTo(turn.turn), { class: `cell${turn.hit ? "" : " other"}${turn.noted ? " noted" : ""}`, "data-turn": turn.turn, "aria-label": text, title: text, style });
  }

  async goTo(turn) {
    if (!this.dialog || turn < 1 || turn > this.dialog.turns.length) return;
    const answer = await this.page.ask({ kind: "turn", turn });
    if (answer.kind !== "turn") return this.page.say(answer.text);
    this.focus(answer);
  }

  focus({ selection, focus, link, line }) {
    Object.assign(this.dialog, { selection, line: line ?? this.dialog.line });
    this.current = focus;
    for (const article of this.articles) {
      const here = article.turn.turn === selection.turn;
      if (!here && article.element.classList.contains("focus")) this.leave(article);
      article.element.classList.toggle("focus", here);
      article.element.setAttribute("aria-current", String(here));
    }
    for (const cell of this.map.children) cell.setAttribute("aria-current", String(Number(cell.dataset.turn) === selection.turn));
    this.drawFocus();
    this.drawTitle();
    const turn = this.turn?.turn;
    const shown = this.dialog.images.slice(0, turn ? turn.so_far : undefined);
    this.strip.replaceChildren(...shown.map(({ image }) => this.figure(image, turn?.about.includes(image))));
    this.strip.hidden = !shown.length;
    if (this.turn) scrollTo(this.talk, this.turn.element);
    this.page.moved(link);
  }

  leave(article) {
    const saved = this.all ? (this.answers[article.turn.turn] ?? []) : [];
    article.compare.replaceChildren(...[article.column, ...this.columns(saved)].filter(Boolean));
    article.extra.replaceChildren();
  }

  drawTitle() {
    const { dialog_id, selection, turns } = this.dialog;
    const turn = this.turn?.turn;
    const kinds = turn?.about.length ? ` · asks about ${list(turn.about)}` : "";
    const context = turn?.context === undefined ? "" : ` · context ${thousands(turn.context)}k tokens`;
    this.title.textContent = `dialogue ${dialog_id} · turn ${selection.turn} of ${turns.length}${context}${kinds}`;
  }

  columns(answers) {
    return answers.filter((answer) => !this.hidden.has(answer.model)).map((answer) => this.drawAnswer(answer));
  }

  drawFocus() {
    const article = this.turn;
    if (!article) return;
    const columns = this.columns(this.current.answers);
    article.compare.replaceChildren(...[article.column, ...columns].filter(Boolean));
    const toggles = this.current.answers.map(({ model }) => {
      const change = () => {
        this.hidden[box.value() ? "delete" : "add"](model);
        this.drawFocus();
      };
      const box = checkbox(model, change, { title: `show ${model}`, mark: h("span", {}, model) });
      box.set(!this.hidden.has(model));
      return box.element;
    });
    const buttons = this.current.answers.length
      ? [
          pressed("all turns (a)", this.all, () => this.toggle("all")),
          this.page.about.referenced ? pressed("differences (d)", this.differences, () => this.toggle("differences")) : null,
          this.current.answers.some((answer) => answer.reason) ? pressed("reasons (r)", this.reasons, () => this.toggle("reasons")) : null,
        ]
      : [];
    const copy = this.dialog.line ? button("copy the line that opens this turn (c)", () => this.page.copy()) : null;
    const tools = h("div", { class: "tools" }, ...toggles, ...buttons, copy);
    article.extra.replaceChildren(tools, ...(this.page.about.alone ? [] : [drawNote(this.page, this.dialog.selection, this.current)]));
    columns.forEach((column) => markHits(column, this.page.hits()));
    if (this.differences) this.drawDifferences(article);
  }

  drawAnswer(answer) {
    const text = h("div", { class: "text" });
    if (answer.html === null) text.append(h("em", {}, "no answer"));
    else text.innerHTML = answer.html; // rendered and cleaned in Python
    const reason = this.reasons && answer.reason ? h("div", { class: "reason" }, answer.reason) : null;
    const tokens = answer.tokens === null ? "" : ` ${answer.tokens} tokens`;
    const column = h("div", { class: "column" }, h("h4", {}, answer.model, h("small", {}, tokens)), ...answer.scores.map((judge) => this.drawJudge(judge)), text, reason);
    column.dataset.model = answer.model;
    return column;
  }

  drawJudge({ judge, bars }) {
    const highest = this.page.about.scale[1];
    const drawn = bars.map(({ name, full, score, percent, text }) =>
      h(
        "span",
        { class: "bar", title: `${full}: ${score === null ? "missing" : `${text} (${score} of ${highest})`}, judge ${judge}` },
        h("span", { class: "label" }, name),
        h("span", { class: "track" }, h("span", { class: "fill", style: `width:${Math.min(100, Math.max(0, percent ?? 0))}%` })),
        h("span", { class: "value" }, text),
      ),
    );
    return h("div", { class: "bars", role: "group", "aria-label": `scores of ${judge}` }, h("small", { class: "judge" }, judge), ...drawn);
  }

  async drawDifferences(article) {
    for (const column of article.compare.querySelectorAll(".column[data-model]")) {
      const answer = await this.page.ask({ kind: "differences", model: column.dataset.model });
      if (answer.kind !== "differences" || answer.selection.turn !== this.dialog.selection.turn || !answer.parts.length) continue;
      const names = { same: "span", new: "ins", gone: "del", note: "em" };
      column.querySelector(".text").replaceChildren(...answer.parts.map(([what, text]) => h(names[what], {}, text)));
    }
  }

  // Answers of all turns, not only of the one in focus.
  async showAll() {
    const dialog = this.dialog;
    const answer = await this.page.ask({ kind: "answers" });
    if (answer.kind !== "answers" || dialog !== this.dialog) return;
    this.answers = answer.answers;
    for (const article of this.articles) if (article !== this.turn) this.leave(article);
    if (this.turn) scrollTo(this.talk, this.turn.element);
  }

  toggle(what) {
    if (!this.dialog || (what === "all" && !this.page.about.answered)) return;
    this[what] = !this[what];
    this.drawFocus();
    if (what !== "all") return;
    if (this.all) this.showAll();
    else for (const article of this.articles) if (article !== this.turn) this.leave(article);
  }

  figure(image, named = false) {
    const path = this.dialog.images.find((one) => one.image === image)?.path ?? "";
    return this.page.pictures.figure(this.dialog.dialog_id, image, { path, named, enlarge: (number) => this.enlarge(number) });
  }

  enlarge(image) {
    const all = this.dialog.images.map((one) => one.image);
    this.page.lightbox.show(this.dialog.dialog_id, image, all, this.turn?.turn.about ?? []);
  }

  enlargeFirst() {
    const image = this.turn?.turn.about[0] ?? this.dialog?.images[0]?.image;
    if (image !== undefined) this.enlarge(image);
  }
}
