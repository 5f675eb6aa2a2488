
// The state beside a trace: a row of the trace is chosen by a click, by keys or by an address (#trace-1-7).
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function button(text, label, onclick) {
  return make("button", { type: "button", "aria-label": label, title: label, onclick }, text);
}

// The value of each word behind each step, and the step that last set it (0: nobody did).
function played(data) {
  const values = [data.start];
  const since = [data.start.map(() => 0)];
  data.changes.forEach((changes, index) => {
    const now = [...values[index]];
    const when = [...since[index]];
    for (const [word, value] of changes) {
      now[word] = value;
      when[word] = index + 1;
    }
    values.push(now);
    since.push(when);
  });
  return { values, since };
}

class TraceViewer {
  constructor(details, source) {
    this.details = details;
    this.data = JSON.parse(source.textContent);
    this.table = details.querySelector("table.steps");
    this.rows = [...this.table.tBodies[0].rows];
    this.threads = [...this.table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
    Object.assign(this, played(this.data));
    this.moves = new Set(this.data.changes.flat().map(([word]) => word));
    this.onlyMoving = true;
    this.draw();
    this.rows.forEach((row, index) => row.addEventListener("click", () => this.go(index + 1, true)));
    details.querySelector(".viewer").addEventListener("keydown", (event) => this.key(event));
    this.go(this.rows.length, false);
  }

  draw() {
    this.place = make("output", { class: "place" });
    this.now = make("p", { class: "now" });
    this.freed = make("ul", { class: "freed" });
    this.groups = make("div", { class: "groups" });
    const moving = make("input", { type: "checkbox" });
    moving.checked = true;
    moving.addEventListener("change", () => { this.onlyMoving = moving.checked; this.show(); });
    this.moving = moving;
    const keys = make("div", { class: "keys" },
      button("\u21e4", "first step (Home)", () => this.go(0, true)),
      button("\u2190", "one step back (k, left, up)", () => this.go(this.step - 1, true)),
      this.place,
      button("\u2192", "one step on (j, right, down)", () => this.go(this.step + 1, true)),
      button("\u21e5", "last step (End)", () => this.go(this.rows.length, true)),
      make("label", { title: "leave out what stays the same all the way (c)" }, moving, " only what changes"));
    this.panel = make("section", { class: "state", tabindex: "0", "aria-label": "state behind the step" },
      keys, this.now, this.freed, this.groups);
    this.details.querySelector(".viewer").append(this.panel);
    this.details.querySelector(".viewer").classList.add("live");
  }

  go(step, byHand) {
    this.step = Math.max(0, Math.min(this.rows.length, step));
    this.rows.forEach((row, index) => {
      if (index + 1 === this.step) row.setAttribute("aria-current", "step");
      else row.removeAttribute("aria-current");
    });
    this.show();
    if (!byHand) return;
    const row = this.rows[this.step - 1] || this.table.tHead.rows[0];
    row.scrollIntoView({ block: "nearest", inline: "nearest" });
    try { history.replaceState(null, "", `#${this.details.id}-${this.step}`); } catch { /* an address is a comfort */ }
  }

  show() {
    this.place.textContent = `step ${this.step} of ${this.rows.length}`;
    const row = this.rows[this.step - 1];
    this.now.replaceChildren();
    if (row) {
      const column = [...row.cells].findIndex((cell, index) => index && cell.textContent.trim());
      const lines = [...row.cells[column].querySelectorAll("code")].map((code) => code.textContent);
      this.now.append(make("b", {}, this.threads[column - 1]), " ", make("code", {}, lines.join("; ")));
    } else {
      this.now.append("before the first step");
    }
    const here = this.values[this.step];
    const gone = new Set(here.filter((value) => value.endsWith(" (freed)")).map((value) => value.slice(0, -8)));
    const past = this.data.freed.filter((one) => Number(one.step) <= this.step);
    this.freed.replaceChildren(...past.filter((one) => gone.has(one.object)).map((one) => make("li", {},
      `${one.object}: ${one.how} at step ${one.step} by ${one.thread}, in ${one.function}() `,
      button("go there", `go to step ${one.step}, where ${one.object} was freed (f)`, () => this.go(Number(one.step), true)))));
    this.freed.hidden = !this.freed.children.length;
    this.showGroups(here);
  }

  showGroups(here) {
    const before = this.values[Math.max(0, this.step - 1)];
    const groups = new Map();
    this.data.words.forEach(([group, name], word) => {
      const changed = this.step > 0 && before[word] !== here[word];
      if (!here[word] && !changed) return;
      if (this.onlyMoving && !this.moves.has(word)) return;
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(this.line(name, here[word], changed ? before[word] : null, this.since[this.step][word]));
    });
    this.groups.replaceChildren(...[...groups].map(([group, lines]) =>
      make("table", {}, make("caption", {}, group), make("tbody", {}, ...lines))));
  }

  line(name, value, old, since) {
    const cell = make("td", value.endsWith(" (freed)") ? { class: "bad" } : {});
    if (old !== null && old) cell.append(make("s", {}, old), " ");
    cell.append(value || "gone");
    const when = make("td", { class: "since" });
    if (since) when.append(button(`${since}`, `set at step ${since}: go there`, () => this.go(since, true)));
    return make("tr", old === null ? {} : { class: "changed" }, make("th", { scope: "row" }, name), cell, when);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = {
      ArrowRight: this.step + 1, ArrowDown: this.step + 1, j: this.step + 1, ArrowLeft: this.step - 1,
      ArrowUp: this.step - 1, k: this.step - 1, Home: 0, End: this.rows.length,
    }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      this.go(to, true);
    } else if (event.key === "f") {
      this.freed.querySelector("button")?.click();
    } else if (event.key === "c") {
      this.moving.click();
    }
  }
}

const viewers = new Map();
for (const source of document.querySelectorAll('details.trace script[type="application/json"]')) {
  const details = source.closest("details");
  // Those that are folded away wait until they are asked for.
  const start = () => { if (details.open && !viewers.has(details.id)) viewers.set(details.id, new TraceViewer(details, source)); };
  details.addEventListener("toggle", start);
  start();
}

// An address may lead into what is folded away, and to a step.
function follow() {
  const hash = location.hash.slice(1);
  const [, name, step] = hash.match(/^(.*)-(\d+)$/) || [];
  const target = document.getElementById(hash) || document.getElementById(name);
  if (!target) return;
  for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  if (!target.matches("details.trace")) {
    target.scrollIntoView();
    return;
  }
  const source = target.querySelector('script[type="application/json"]');
  if (source && !viewers.has(target.id)) viewers.set(target.id, new TraceViewer(target, source));
  const viewer = viewers.get(target.id);
  const exact = target.id === hash || !viewer;
  if (!exact) viewer.go(Number(step), false);
  (exact ? target : viewer.rows[Math.max(0, viewer.step - 1)]).scrollIntoView({ block: exact ? "start" : "center" });
  target.querySelector(".scroll").focus({ preventScroll: true });
}
addEventListener("hashchange", follow);
follow();
