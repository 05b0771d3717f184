// Sorting of tables marked data-sort; the state is in the URL as ?<table>=<column>.<direction>.
// Everything is readable without this file. Text is moved, never parsed as HTML.
(() => {
  "use strict";
  const said = document.getElementById("said");

  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.v ?? cell.textContent.trim();
    const number = Number(text);
    return { empty: text === "", number: text !== "" && !Number.isNaN(number) ? number : null, text };
  };

  const compare = (one, other, sign) => {
    if (one.empty || other.empty) return Number(one.empty) - Number(other.empty);
    if (one.number !== null && other.number !== null) return sign * (one.number - other.number);
    return sign * one.text.localeCompare(other.text, "en");
  };

  const read = (name) => new URLSearchParams(location.search).get(name);

  const write = (name, state) => {
    const url = new URL(location.href);
    if (state) url.searchParams.set(name, state); else url.searchParams.delete(name);
    try { history.replaceState(null, "", url); } catch { /* a page opened from a file may not change its address */ }
  };

  for (const table of document.querySelectorAll("table[data-sort]")) {
    const name = table.dataset.sort;
    const body = table.tBodies[0];
    const original = [...body.rows];
    const heads = [...table.tHead.rows].at(-1);
    const keyed = [...heads.cells].filter((head) => head.dataset.key);
    const start = keyed.find((head) => head.dataset.start);

    const show = (head, direction, speak) => {
      const column = [...heads.cells].indexOf(head);
      const sign = direction === "descending" ? -1 : 1;
      const rows = original.map((row, place) => ({ row, place, value: valueOf(row, column) }));
      rows.sort((a, b) => compare(a.value, b.value, sign) || a.place - b.place);
      body.append(...rows.map((entry) => entry.row));
      for (const other of keyed) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction);
      const plain = head === start && direction === start.dataset.start;
      if (speak) {
        write(name, plain ? null : `${head.dataset.key}.${direction === "descending" ? "desc" : "asc"}`);
        said.textContent = `Sorted by ${head.dataset.label}, ${direction}.`;
      }
    };

    for (const head of keyed) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.dataset.label = button.textContent.trim();
      const firstWay = head.classList.contains("num") && /↑/.test(button.textContent) ? "descending" : "ascending";
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const turned = now === "ascending" ? "descending" : "ascending";
        show(head, now ? turned : firstWay, true);
      });
    }

    const restore = () => {
      const [key, way] = (read(name) ?? "").split(".");
      const head = keyed.find((candidate) => candidate.dataset.key === key);
      if (head) show(head, way === "desc" ? "descending" : "ascending", false);
      else if (start) show(start, start.dataset.start, false);
    };
    if (read(name)) restore();
    window.addEventListener("popstate", restore);
  }
})();
