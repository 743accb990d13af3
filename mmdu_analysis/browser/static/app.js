// --- The page: its parts, its keys, its address, and the messages.

const KEYS = [
  ["j / k", "next / previous dialogue"],
  ["n / p", "next / previous turn"],
  ["N / P", "next / previous turn that meets the filters, in any dialogue"],
  ["/", "search"],
  ["f", "show or hide the filters"],
  ["a", "answers of all turns"],
  ["Enter", "enlarge the first image that the question is about"],
  ["s, + −, 0", "in an enlarged image: side by side, zoom, fit"],
  ["d", "mark the words that differ from the reference"],
  ["r", "the judge's reasons"],
  ["t", "add a tag"],
  ["c", "copy the line of Python that opens this turn"],
  ["?", "this help"],
  ["Esc", "close, or leave a field"],
];

function drawHelp(keys) {
  const shown = keys.flatMap(([key, text]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, text)]);
  const help = h("dialog", { class: "help", "aria-label": "keys" }, h("h2", {}, "Keys"), h("dl", {}, ...shown), button("close (Esc)", () => help.close()));
  return help;
}

class Page {
  constructor(root, ask, about, transport) {
    Object.assign(this, { root, ask, about, transport });
    this.pictures = new PictureCache(ask);
    this.lightbox = new Lightbox(this.pictures);
    this.help = drawHelp(KEYS);
    this.message = h("div", { class: "message", role: "status" });
    this.finder = new Finder(this);
    this.reader = new Reader(this);
    this.build();
    this.start();
  }

  get dialog() {
    return this.reader.dialog;
  }

  build() {
    const { about, finder } = this;
    const mark = about.synthetic ? h("strong", { class: "synthetic" }, about.synthetic) : null;
    const problems = about.problems && !about.alone ? h("span", { class: "count" }, `${about.problems} ${about.problems === 1 ? "problem" : "problems"} in the data, see benchmark.problems`) : null;
    this.filtersButton = pressed("filters (f)", false, () => this.fold());
    const finding = about.alone ? [] : [finder.drawSearch(), this.filtersButton];
    const right = h("span", { class: "right" }, ...finding, button("?", () => this.help.showModal(), { "aria-label": "help on keys" }));
    this.panel = finder.drawFilters();
    this.panel.hidden = true;
    const nav = about.alone ? null : finder.drawList();
    this.root.append(
      h("header", {}, h("h1", {}, about.name), mark, about.alone ? null : finder.count, problems, right),
      ...(about.alone ? [] : [this.panel]),
      h("div", { class: "main" }, nav, this.reader.draw()),
      this.message,
      this.lightbox.element,
      this.help,
    );
    listen(this);
    if (nav) new ResizeObserver(() => finder.fill(false)).observe(finder.list);
  }

  async start() {
    await this.finder.fill(true);
    await this.reopen();
    // Keys work at once in a page of its own; in a notebook the focus stays where it is.
    if (this.transport.address && document.activeElement === document.body) this.root.focus({ preventScroll: true });
    if (this.about.loading) await this.complete();
  }

  // What is shown so far lacks the references: wait for them, then draw it anew.
  async complete() {
    this.say(`${this.about.loading} …`);
    let about = this.about;
    while (about.loading) {
      await pause();
      about = await this.ask({ kind: "start" });
    }
    if (about.kind === "error") return this.say(about.text);
    const field = this.root.querySelector(".note :focus"); // a note that is being written is not drawn anew
    if (field) await new Promise((resolve) => field.addEventListener("blur", resolve, { once: true }));
    this.about = about;
    this.say("");
    if (this.finder.waiting) await this.finder.apply();
    await this.finder.fill(true);
    const { selection } = await this.ask({ kind: "start" });
    return this.reader.show(await this.ask({ kind: "open", ...selection }));
  }

  fold(open = this.panel.hidden) {
    this.panel.hidden = !open;
    this.filtersButton.setAttribute("aria-pressed", String(open));
  }

  // Draw what is selected in Python.
  async reopen() {
    const { selection } = await this.ask({ kind: "start" });
    await this.open(selection);
  }

  async open(target) {
    await this.showDialog(await this.ask({ kind: "open", ...target }));
  }

  async showDialog(answer) {
    if (answer.kind !== "dialog") return this.say(answer.text);
    this.finder.counts(answer);
    await this.reader.show(answer);
    this.finder.showRow();
  }

  // After each move: the list's mark and the address follow.
  moved(link) {
    this.finder.markRow();
    if (this.transport.address && link) history.replaceState(null, "", `#${link}`);
  }

  // Python has changed what is shown.
  async changed() {
    await this.finder.refresh();
  }

  hits() {
    return this.finder.hits();
  }

  key(event) {
    event.stopPropagation();
    const typing = event.composedPath()[0].closest?.("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape" && typing) {
      event.preventDefault(); // else a search field is emptied, and the filter stays
      typing.blur();
      return this.root.focus({ preventScroll: true });
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing || this.help.open) return undefined;
    if (this.lightbox.open) return this.lightbox.key(event);
    const turn = this.dialog?.selection.turn ?? 0;
    const step = async (by, of) => this.showDialog(await this.ask({ kind: "step", by, of }));
    const actions = {
      j: () => step(1, "dialog"),
      k: () => step(-1, "dialog"),
      n: () => this.reader.goTo(turn + 1),
      p: () => this.reader.goTo(turn - 1),
      N: () => step(1, "turn"),
      P: () => step(-1, "turn"),
      "/": () => this.finder.query.focus(),
      f: () => this.about.alone || this.fold(),
      a: () => this.reader.toggle("all"),
      d: () => this.reader.toggle("differences"),
      r: () => this.reader.toggle("reasons"),
      t: () => this.root.querySelector(".tag-field")?.focus(),
      c: () => this.copy(),
      "?": () => this.help.showModal(),
    };
    const target = event.composedPath()[0];
    if (!target.closest?.("button, summary, input")) actions.Enter = () => this.reader.enlargeFirst();
    if (target === this.finder.list) Object.assign(actions, { ArrowDown: actions.j, ArrowUp: actions.k });
    if (!(event.key in actions)) return undefined;
    event.preventDefault();
    return actions[event.key]();
  }

  async copy() {
    const { line } = this.dialog ?? {};
    if (!line) return;
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

// Keys of a page that is alone in its window work wherever the focus is; in a notebook only inside of the page.
function listen(page) {
  page.root.addEventListener("keydown", (event) => page.key(event));
  if (page.transport.address) document.addEventListener("keydown", (event) => event.target === document.body && page.key(event));
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 100));

// Ask until the dialogues are there; meanwhile show how much has been read.
async function begin(root, start) {
  const text = h("p", {}, "");
  const bar = h("progress", { max: 1, "aria-label": "bytes read" });
  const note = h("div", { class: "loading", role: "status" }, text, bar);
  let about = await start();
  while (about.kind === "loading") {
    text.textContent = about.text;
    if (about.size && about.read < about.size) bar.value = about.read / about.size;
    else bar.removeAttribute("value");
    if (!note.isConnected) root.append(note);
    await pause();
    about = await start();
  }
  note.remove();
  return about;
}

// Draw the page into an element. `transport` has send(message) and receive(callback(message, buffers)); with `address`
// the page is alone in its window, and its state is in the address.
export function mount(element, transport, css) {
  const shadow = element.attachShadow({ mode: "open" });
  // JupyterLab's own shortcuts (j, k, d d, ...) must not act on keys that are meant for this page.
  element.setAttribute("data-lm-suppress-shortcuts", "true");
  const root = h("div", { class: transport.address ? "mmdu own" : "mmdu", tabindex: 0, role: "group", "aria-label": "dialogue browser" });
  shadow.append(h("style", {}, css), root);
  const waiting = new Map();
  let ticket = 0;
  let page = null;
  const ask = (message) =>
    new Promise((resolve) => {
      waiting.set((ticket += 1), resolve);
      transport.send({ ...message, ticket });
    });
  transport.receive((message, buffers) => {
    const answer = { ...message, buffers };
    if (waiting.has(message.ticket)) {
      waiting.get(message.ticket)(answer);
      waiting.delete(message.ticket);
    } else if (message.kind === "dialog") {
      page?.showDialog?.(answer); // Python's view.open(...)
    } else if (message.kind === "changed") {
      page?.changed?.();
    }
  });
  const link = transport.address ? location.hash.slice(1) : "";
  begin(root, () => ask({ kind: "start", link })).then((about) => {
    if (about.kind === "error") return root.append(h("p", { role: "alert" }, about.text));
    page = about.rate ? new Rater(root, ask, about, transport) : new Page(root, ask, about, transport);
    return page;
  });
  return root;
}

// A still picture stands above the widget for readers without a kernel; beside the live widget it is not needed.
function hideStill(key) {
  for (const still of document.querySelectorAll(`.mmdu-still-${CSS.escape(key)}`)) (still.closest(".jp-OutputArea-child") ?? still).style.display = "none";
}

export default {
  render({ model, el }) {
    const receive = (callback) => model.on("msg:custom", callback);
    mount(el, { send: (message) => model.send(message), receive }, model.get("_css_text"));
    if (model.get("_key")) hideStill(model.get("_key"));
  },
};
