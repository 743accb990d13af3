// --- Pictures: a cache, small figures, and the view at full size with synchronised zoom.

class PictureCache {
  constructor(ask) {
    this.ask = ask;
    this.known = new Map();
  }

  get(dialog_id, image, size) {
    const key = `${size}/${image}/${dialog_id}`;
    if (!this.known.has(key)) {
      if (this.known.size > 400) {
        for (const old of this.known.values()) old.then((p) => p.url && URL.revokeObjectURL(p.url));
        this.known.clear();
      }
      const asked = this.ask({ kind: "picture", dialog_id, image, size }).then((answer) => {
        if (answer.kind !== "picture" || !answer.buffers?.length) return { problem: answer.problem ?? answer.text };
        return { url: URL.createObjectURL(new Blob([answer.buffers[0]], { type: answer.mime })) };
      });
      this.known.set(key, asked);
    }
    return this.known.get(key);
  }

  figure(dialog_id, image, { path = "", named = false, enlarge }) {
    const open = button("", () => enlarge(image), { "aria-label": `enlarge Image${image}` });
    this.get(dialog_id, image, "thumb").then(({ url, problem }) => {
      if (url) return open.append(h("img", { src: url, alt: `Image${image}` }));
      const lost = h("span", { class: "lost", role: "img", "aria-label": `Image${image} is not shown: ${problem}` }, path ? h("code", {}, path) : "", path ? h("br") : "", problem ?? "");
      return open.replaceWith(lost);
    });
    return h("figure", { class: named ? "named" : "", "data-image": image }, open, h("figcaption", {}, `Image${image}`));
  }
}

class Lightbox {
  constructor(pictures) {
    this.pictures = pictures;
    this.zoom = { scale: 1, x: 0, y: 0 };
    this.stage = h("div", { class: "stage" });
    this.caption = h("span", { class: "caption", role: "status" });
    this.both = pressed("side by side (s)", false, () => this.toggle());
    this.element = h(
      "dialog",
      { class: "lightbox", "aria-label": "enlarged image", onclick: (event) => event.target === this.element && this.element.close() },
      h(
        "div",
        { class: "bar" },
        this.caption,
        button("‹", () => this.step(-1), { "aria-label": "previous image" }),
        button("›", () => this.step(1), { "aria-label": "next image" }),
        button("+", () => this.by(1.25), { "aria-label": "zoom in" }),
        button("−", () => this.by(0.8), { "aria-label": "zoom out" }),
        button("fit (0)", () => this.by(0)),
        this.both,
        button("close (Esc)", () => this.element.close()),
      ),
      this.stage,
    );
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.stage.addEventListener("pointerdown", (event) => this.drag(event));
  }

  get open() {
    return this.element.open;
  }

  // `together` are the images that are shown side by side, such as those that the question is about.
  show(dialog_id, image, all, together) {
    Object.assign(this, { dialog_id, image, all, together: together.length > 1 ? together : all });
    this.zoom = { scale: 1, x: 0, y: 0 };
    this.draw();
    if (!this.element.open) this.element.showModal();
  }

  async draw() {
    const side = this.both.getAttribute("aria-pressed") === "true";
    const shown = side ? [...new Set([...this.together.slice(0, 6), this.image])].sort((a, b) => a - b) : [this.image];
    this.both.hidden = this.all.length < 2;
    this.caption.textContent = `${list(shown)} of dialogue ${this.dialog_id}`;
    const panes = await Promise.all(
      shown.map(async (image) => {
        const { url, problem } = await this.pictures.get(this.dialog_id, image, "full");
        const content = url ? h("img", { src: url, alt: `Image${image}`, draggable: "false" }) : h("p", {}, problem ?? "");
        return h("figure", { class: "frame" }, h("div", { class: "window" }, content), h("figcaption", {}, `Image${image}`));
      }),
    );
    this.stage.style.setProperty("--columns", shown.length < 4 ? shown.length : Math.ceil(shown.length / 2));
    this.stage.replaceChildren(...panes);
    this.apply();
  }

  toggle() {
    this.both.setAttribute("aria-pressed", String(this.both.getAttribute("aria-pressed") !== "true"));
    this.draw();
  }

  step(by) {
    const place = this.all.indexOf(this.image) + by;
    if (place < 0 || place >= this.all.length) return;
    this.image = this.all[place];
    this.draw();
  }

  by(factor, x = 0, y = 0) {
    const before = this.zoom.scale;
    const scale = factor ? Math.min(16, Math.max(1, before * factor)) : 1;
    const ratio = scale / before;
    this.zoom = scale === 1 ? { scale, x: 0, y: 0 } : { scale, x: x - (x - this.zoom.x) * ratio, y: y - (y - this.zoom.y) * ratio };
    this.apply();
  }

  // All images share scale and offset (in parts of their size), so the same place is seen in each.
  apply() {
    const { scale, x, y } = this.zoom;
    for (const image of this.stage.querySelectorAll("img")) image.style.transform = `translate(${x * 100}%, ${y * 100}%) scale(${scale})`;
    this.stage.classList.toggle("zoomed", scale > 1);
  }

  wheel(event) {
    event.preventDefault();
    const box = event.target.closest("img")?.getBoundingClientRect();
    const at = box ? [(event.clientX - box.x) / box.width - 0.5, (event.clientY - box.y) / box.height - 0.5] : [0, 0];
    const { scale, x, y } = this.zoom;
    this.by(event.deltaY < 0 ? 1.15 : 0.87, at[0] * scale + x, at[1] * scale + y);
  }

  drag(event) {
    const image = event.target.closest("img");
    if (!image || this.zoom.scale === 1) return;
    const box = { width: image.clientWidth, height: image.clientHeight };
    const start = { px: event.clientX, py: event.clientY, ...this.zoom };
    const move = (now) => {
      this.zoom.x = start.x + (now.clientX - start.px) / box.width;
      this.zoom.y = start.y + (now.clientY - start.py) / box.height;
      this.apply();
    };
    this.stage.setPointerCapture(event.pointerId);
    this.stage.addEventListener("pointermove", move);
    this.stage.addEventListener("pointerup", () => this.stage.removeEventListener("pointermove", move), { once: true });
  }

  key(event) {
    const pan = (x, y) => {
      if (this.zoom.scale === 1) return false;
      this.zoom.x += x;
      this.zoom.y += y;
      this.apply();
      return true;
    };
    const actions = {
      "+": () => this.by(1.25),
      "=": () => this.by(1.25),
      "-": () => this.by(0.8),
      0: () => this.by(0),
      s: () => this.toggle(),
      ArrowLeft: () => pan(0.1, 0) || this.step(-1),
      ArrowRight: () => pan(-0.1, 0) || this.step(1),
      ArrowUp: () => pan(0, 0.1),
      ArrowDown: () => pan(0, -0.1),
    };
    if (!(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
  }
}
