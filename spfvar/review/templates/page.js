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

// Paper has nothing to click on.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((details) => { details.open = true; });
});
addEventListener("afterprint", () => {
  folded.forEach((details) => { details.open = false; });
});
