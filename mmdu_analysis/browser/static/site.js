// The index of a site: a search in the texts of all dialogues.
const read = (name) => JSON.parse(document.getElementById(name).textContent);
const texts = read("texts");
const query = document.getElementById("query");
const found = document.getElementById("found");
const rows = [...document.querySelectorAll("#dialogs tbody tr")];
if (!read("whole")) query.title = "searches the questions";

function search() {
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  rows.forEach((row, place) => {
    const hit = words.every((word) => texts[place].includes(word) || row.textContent.toLowerCase().includes(word));
    row.hidden = !hit;
    count += hit;
  });
  found.textContent = words.length ? `${count} of ${rows.length} dialogues` : "";
}

query.addEventListener("input", search);
const wanted = new URLSearchParams(location.hash.slice(1)).get("query");
if (wanted) {
  query.value = wanted;
  search();
}
