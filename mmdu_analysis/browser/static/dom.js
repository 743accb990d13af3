// The dialogue browser's page. Its sections share one scope and are joined in Python (assets.py): no build step.
// Texts are set as textContent; the only HTML is Markdown that was rendered and cleaned in Python.

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

function button(text, action, attributes = {}) {
  return h("button", { type: "button", onclick: action, ...attributes }, text);
}

function pressed(text, state, action, attributes = {}) {
  return button(text, action, { "aria-pressed": String(Boolean(state)), ...attributes });
}

// Controls of filters: `value()` as the message holds it, `set(value)` with undefined for no filter.
function range(label, low, high, change, { step = 1, unlimited = high } = {}) {
  const inputs = ["least", "most"].map((end, place) =>
    h("input", { type: "number", min: low, max: high, step, value: place ? high : low, "aria-label": `${label}, ${end}`, onchange: change }),
  );
  const limits = [low, high];
  const value = () => inputs.map((input, place) => (input.value === "" || Number(input.value) === limits[place] ? [low, unlimited][place] : Number(input.value)));
  const set = (wanted) => inputs.forEach((input, place) => (input.value = Math.min(wanted?.[place] ?? limits[place], high)));
  const element = h("span", { class: "range", role: "group", "aria-label": label }, h("span", { class: "label" }, label), inputs[0], "–", inputs[1]);
  return { element, value, set };
}

function choice(label, options, change) {
  const select = h("select", { "aria-label": label, onchange: change });
  for (const [value, text] of options) select.append(h("option", { value }, text));
  const set = (wanted) => {
    select.value = wanted ?? options[0][0];
    if (select.selectedIndex < 0) select.selectedIndex = 0;
  };
  return { element: h("label", {}, h("span", { class: "label" }, label), select), value: () => select.value, set, select };
}

function checkbox(label, change, { title = label, mark = null } = {}) {
  const box = h("input", { type: "checkbox", onchange: change, "aria-label": title });
  const set = (wanted) => (box.checked = Boolean(wanted));
  return { element: h("label", { class: "check", title }, box, mark ?? label), value: () => box.checked, set, box };
}

// JavaScript's engine may take exponential time where RE2 is linear: only simple expressions are marked.
function isSimple(expression) {
  return !/\)[*+?{]/.test(expression) && (expression.match(/[*+]|\{\d*,/g) ?? []).length <= 2;
}

// Mark what a search found in what is drawn, node by node. An expression that JavaScript can't read marks nothing.
function markHits(element, { query = "", regex = false, whole_word: whole = false } = {}) {
  if (!query || (regex && !isSimple(query))) return;
  const inner = regex ? query : query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  let pattern;
  try {
    pattern = new RegExp(whole ? `(?<![\\p{L}\\p{N}_])(?:${inner})(?![\\p{L}\\p{N}_])` : inner, "giu");
  } catch {
    return;
  }
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  for (const node of nodes) {
    const text = node.data.slice(0, regex ? 2_000 : 200_000);
    const pieces = [];
    let end = 0;
    for (const match of text.matchAll(pattern)) {
      if (!match[0]) continue;
      pieces.push(text.slice(end, match.index), h("mark", {}, match[0]));
      end = match.index + match[0].length;
    }
    if (end) node.replaceWith(...pieces, node.data.slice(end));
  }
}

// Scroll to an element and stay there while pictures above it arrive, until the reader scrolls.
// Not scrollIntoView, which moves the notebook too.
function scrollTo(scroller, element) {
  scroller.stay?.abort();
  const stay = (scroller.stay = new AbortController());
  const go = () => (scroller.scrollTop = element.offsetTop);
  scroller.addEventListener("load", go, { capture: true, signal: stay.signal });
  for (const name of ["wheel", "pointerdown", "keydown", "touchstart"]) scroller.addEventListener(name, () => stay.abort(), { signal: stay.signal, passive: true });
  setTimeout(() => stay.abort(), 3_000);
  go();
}

const list = (numbers) => numbers.map((image) => `Image${image}`).join(", ");
const thousands = (number) => (number / 1000).toFixed(1);

// A colour for a score on 0-100 that is told apart without red and green; with the number as text beside it.
function scoreColour(percent) {
  if (percent === null || percent === undefined) return "transparent";
  const share = Math.min(100, Math.max(0, (percent - 20) / 0.6)); // most scores lie between 20 and 80
  return `color-mix(in oklab, var(--high) ${share.toFixed(0)}%, var(--low))`;
}
