"use strict";

// Tables are sorted by a button in each header: upwards, downwards, and back to the order of the page.
// A cell's key is its data-key, or its text; what has no key stays last.
function keyOf(cell) {
  const key = cell.dataset.key;
  if (key === undefined) return cell.textContent.trim();
  return key === "nan" ? "" : Number(key);
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}

function sort(table, original, index, direction) {
  const rows = [...original];
  if (direction !== "none") {
    const sign = direction === "ascending" ? 1 : -1;
    const keys = new Map(rows.map((row) => [row, keyOf(row.cells[index])]));
    rows.sort((a, b) => {
      const [one, other] = [keys.get(a), keys.get(b)];
      if (one === "" || other === "") return (one === "") - (other === "");
      return sign * compare(one, other);
    });
  }
  table.tBodies[0].append(...rows);
}

const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.tHead.rows[0].cells];
  const original = [...table.tBodies[0].rows];
  headers.forEach((header, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    header.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const direction = NEXT[header.getAttribute("aria-sort")];
      headers.forEach((other) => other.setAttribute("aria-sort", "none"));
      header.setAttribute("aria-sort", direction);
      sort(table, original, index, direction);
    });
  });
}

// Long tables have a box: rows that lack what is written there are hidden.
const LONG = 12;
for (const table of document.querySelectorAll("table.sortable")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < LONG) continue;
  const box = document.createElement("input");
  box.type = "search";
  box.className = "tool filter";
  box.placeholder = `filter ${rows.length} rows`;
  box.setAttribute("aria-label", `filter the rows of: ${table.caption ? table.caption.textContent : "this table"}`);
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
  table.closest(".scroll").before(box);
}

// Steps without and with a patch: all, or only what differs and where that is.
for (const table of document.querySelectorAll("table.steps.beside")) {
  const rows = [...table.tBodies[0].rows];
  const same = (row) => row !== undefined && row.cells[0].textContent.trim() === "";
  const dull = rows.filter((row, i) => same(row) && (i === 0 || same(rows[i - 1])) && (i === rows.length - 1 || same(rows[i + 1])));
  if (!dull.length) continue;
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.addEventListener("change", () => { dull.forEach((row) => { row.hidden = box.checked; }); });
  label.className = "tool";
  label.append(box, " only what changed");
  table.closest(".scroll").before(label);
}

// Commands can be copied; without a clipboard they are selected.
for (const code of document.querySelectorAll(".command code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "tool copy";
  button.textContent = "copy";
  button.setAttribute("aria-label", `copy: ${code.textContent.slice(0, 40)}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = document.execCommand("copy") ? "copied" : "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  });
  code.before(button);
}

// On a phone the contents come on request.
if (innerWidth < 600) for (const details of document.querySelectorAll("nav details")) details.open = false;

// Paper has nothing to click on.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((details) => { details.open = true; });
});
addEventListener("afterprint", () => {
  folded.forEach((details) => { details.open = false; });
});
