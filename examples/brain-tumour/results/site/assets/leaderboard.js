// Sorting, filtering, choosing columns and comparing models. The whole state is in the address, so that a page can be
// shared as it is seen: ?<table>=<column>.<asc|desc>&find=…&show=…&hide=a,b&compare=x~y&by=<metric>. What an address
// says and the page does not know is ignored. Everything is readable without this file. Text is moved and set as text,
// never parsed as HTML.
(() => {
  "use strict";
  const MOST = 4;
  const said = document.getElementById("said");
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const say = (text) => { said.textContent = text; };

  const read = (name) => new URLSearchParams(location.search).get(name) ?? "";
  const write = (name, state) => {
    const url = new URL(location.href);
    if (state) url.searchParams.set(name, state); else url.searchParams.delete(name);
    try { history.replaceState(null, "", url); } catch { /* a page opened from a file may not change its address */ }
  };
  const make = (tag, text = "", attributes = {}) => {
    const node = document.createElement(tag);
    node.textContent = text;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const draw = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const restorers = [];

  // ---- sorting
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.v ?? cell.textContent.trim();
    const number = Number(text);
    return { empty: text === "", number: text !== "" && !Number.isNaN(number) ? number : null, text };
  };
  const compare = (a, b, sign) => {
    if (a.empty || b.empty) return Number(a.empty) - Number(b.empty);
    if (a.number !== null && b.number !== null) return sign * (a.number - b.number);
    return sign * a.text.localeCompare(b.text, "en");
  };

  const sorted = (table) => {
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
        write(name, plain ? "" : `${head.dataset.key}.${direction === "descending" ? "desc" : "asc"}`);
        say(`Sorted by ${head.dataset.label}, ${direction}.`);
      }
    };

    for (const head of keyed) {
      const button = make("button", "", { type: "button" });
      button.append(...head.childNodes);
      head.append(button);
      head.dataset.label = head.dataset.name ?? button.textContent.trim();
      const firstWay = head.classList.contains("num") && /↑/.test(button.textContent) ? "descending" : "ascending";
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const turned = now === "ascending" ? "descending" : "ascending";
        show(head, now ? turned : firstWay, true);
      });
    }

    const restore = () => {
      const state = read(name), dot = state.lastIndexOf("."), key = state.slice(0, dot), way = state.slice(dot + 1);
      const head = keyed.find((candidate) => candidate.dataset.key === key);
      if (head) show(head, way === "desc" ? "descending" : "ascending", false);
      else if (start) show(start, start.dataset.start, false);
    };
    if (read(name)) restore();
    window.addEventListener("popstate", restore);
  };
  for (const table of all("table[data-sort]")) sorted(table);

  // ---- rows by text and state, columns by name
  const rows = all("[data-row]");
  const lead = rows.filter((row) => row.dataset.is !== undefined);
  const chief = lead.length ? lead : rows.filter((row) => row.closest("table") === rows[0].closest("table"));
  const nameOf = (row) => one("a", row)?.textContent.trim() ?? row.dataset.row;
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase("en").trim();

  const filtering = (tools) => {
    const find = one("[data-find]", tools), state = one("[data-state]", tools);
    const count = one("[data-count]", tools), reset = one("[data-reset]", tools);
    const noun = one("table [data-row]") ? "models" : "benchmarks";
    const words = new Map(chief.map((row) => [row, fold((one("th", row) ?? row).textContent)]));
    const apply = (speak) => {
      const wanted = fold(find.value).split(/\s+/).filter(Boolean);
      const kind = state?.value ?? "";
      const kept = chief.filter((row) => wanted.every((word) => words.get(row).includes(word))
        && (!kind || row.dataset.is.split(" ").includes(kind)));
      const keys = new Set(kept.map((row) => row.dataset.row));
      for (const row of rows) row.hidden = !keys.has(row.dataset.row);
      const part = kept.length < chief.length;
      count.textContent = part ? `${kept.length} of ${chief.length} ${noun}` : "";
      reset.hidden = !part && !find.value && !kind;
      if (speak) {
        write("find", find.value.trim());
        write("show", kind);
        say(`${kept.length} of ${chief.length} ${noun} shown.`);
      }
    };
    const restore = () => {
      find.value = read("find").slice(0, find.maxLength);
      if (state) state.value = [...state.options].some((option) => option.value === read("show")) ? read("show") : "";
      apply(false);
    };
    find.addEventListener("input", () => apply(true));
    state?.addEventListener("change", () => apply(true));
    reset.addEventListener("click", () => {
      find.value = "";
      if (state) state.value = "";
      apply(true);
      find.focus();
    });
    tools.hidden = false;
    restore();
    restorers.push(restore);
  };

  const choosing = (details) => {
    const table = one("table[data-rows]");
    const heads = [...table.tHead.rows].at(-1).cells;
    const columns = Map.groupBy ? Map.groupBy([...heads], (head) => head.dataset.col ?? "") : new Map();
    if (!columns.size) for (const head of heads) {
      const key = head.dataset.col ?? "";
      columns.set(key, [...(columns.get(key) ?? []), head]);
    }
    columns.delete("");
    const boxes = new Map();
    const apply = (speak) => {
      const gone = [];
      for (const [key, group] of columns) {
        const hide = !boxes.get(key).checked;
        if (hide) gone.push(key);
        for (const head of group) {
          const place = [...heads].indexOf(head);
          for (const row of [...table.tHead.rows, ...table.tBodies[0].rows]) row.cells[place].hidden = hide;
        }
      }
      one("summary", details).textContent = gone.length ? `Columns (${gone.length} hidden)` : "Columns";
      if (speak) {
        write("hide", gone.join(","));
        say(gone.length ? `${gone.length} of ${columns.size} columns hidden.` : "All columns shown.");
      }
    };
    for (const [key, group] of columns) {
      const box = make("input", "", { type: "checkbox" });
      const label = make("label");
      label.append(box, ` ${group[0].dataset.name}`);
      one("fieldset", details).append(label);
      boxes.set(key, box);
      box.addEventListener("change", () => apply(true));
    }
    const restore = () => {
      const gone = read("hide").split(",");
      for (const [key, box] of boxes) box.checked = !gone.includes(key);
      apply(false);
    };
    details.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !details.open) return;
      details.open = false;
      one("summary", details).focus();
    });
    document.addEventListener("click", (event) => { if (!details.contains(event.target)) details.open = false; });
    restore();
    restorers.push(restore);
  };

  for (const tools of all("[data-tools]")) filtering(tools);
  for (const details of all("[data-columns]")) choosing(details);

  // ---- two to four models side by side
  const maps = all("table[data-map]");
  const panel = document.getElementById("compare");
  const bar = one("[data-picked]");

  const comparing = () => {
    const inMap = new Map(all("[data-row]", maps[0]).map((row) => [row.dataset.row, row]));
    const boxes = new Map();
    let picked = [];
    let opener = null;
    const by = one("[data-by]", panel);
    for (const map of maps) by.append(make("option", map.dataset.title, { value: map.dataset.map }));
    one("[data-by-label]", panel).hidden = maps.length < 2;

    for (const row of chief) {
      const key = row.dataset.row;
      if (!inMap.has(key)) continue;
      const box = make("input", "", { type: "checkbox", "aria-label": `Compare ${nameOf(row)}` });
      const label = make("label", "", { class: "pick" });
      label.append(box);
      one("th", row).prepend(label);
      boxes.set(key, box);
      box.addEventListener("change", () => {
        if (box.checked && picked.length === MOST) {
          box.checked = false;
          return say(`At most ${MOST} models can be compared; take one away first.`);
        }
        picked = box.checked ? [...picked, key] : picked.filter((other) => other !== key);
        show(true);
        return say(picked.length < 2 ? `${picked.length} of 2 to ${MOST} models chosen.` : `${picked.length} models chosen.`);
      });
    }

    const numberIn = (cell) => {
      if (!/\bh[0-6]\b/.test(cell.className)) return null;
      const number = Number(one(".value", cell).textContent.replace("\u2212", "-"));
      return Number.isNaN(number) ? null : number;
    };
    const signed = (number, decimals) => {
      const text = Math.abs(number).toFixed(decimals);
      if (Number(text) === 0) return text;
      return (number < 0 ? "\u2212" : "+") + text;
    };

    const table = (map) => {
      const higher = map.dataset.higher === "yes", decimals = Number(map.dataset.decimals);
      const heads = all("th[data-site]", map);
      const found = picked.map((key) => all("[data-row]", map).find((row) => row.dataset.row === key));
      const names = picked.map((key) => nameOf(inMap.get(key)));
      const cells = found.map((row) => all("td.cell", row));
      const values = cells.map((line) => line.map(numberIn));
      const most = Math.max(...heads.map((_, s) => {
        const there = values.slice(1).map((line) => (line[s] === null || values[0][s] === null ? 0 : line[s] - values[0][s]));
        return Math.max(...there.map(Math.abs));
      }), 1e-12);

      const made = make("table", "", { class: "sides" });
      const better = higher ? "higher is better" : "lower is better";
      made.append(make("caption", `${map.dataset.title}, ${better}. Differences to ${names[0]}; in bold the best at a site.`));
      const top = made.createTHead().insertRow();
      top.append(make("th", "Site", { scope: "col" }));
      names.forEach((name, k) => {
        top.append(make("th", name, { scope: "col", class: "num" }));
        if (k) top.append(make("th", "Difference", { scope: "col", class: "num" }));
      });
      if (names.length === 2) top.append(make("th", "", { scope: "col", class: "bars" }));
      if (names.length === 2) top.lastChild.append(make("span", "Difference, drawn", { class: "unseen" }));

      const body = made.createTBody();
      heads.forEach((head, s) => {
        const line = body.insertRow();
        const site = make("th", head.dataset.site, { scope: "row" });
        site.append(make("span", one(".n", head).textContent, { class: "n" }));
        line.append(site);
        const here = values.map((row) => row[s]);
        const known = here.filter((value) => value !== null);
        const best = known.length > 1 ? (higher ? Math.max(...known) : Math.min(...known)) : null;
        here.forEach((value, k) => {
          const text = value === null ? one(".value", cells[k][s]).textContent : value.toFixed(decimals).replace("-", "\u2212");
          const cell = make("td", text, { class: value !== null && value === best ? "num best" : "num" });
          const state = one(".small", cells[k][s])?.textContent;
          if (state) cell.append(make("span", state, { class: "n" }));
          line.append(cell);
          if (!k) return;
          const difference = value === null || here[0] === null ? null : value - here[0];
          line.append(make("td", difference === null ? "–" : signed(difference, decimals), { class: "num" }));
          if (names.length === 2) line.append(bars(difference, most, higher));
        });
      });
      made.append(summary(values, heads.length, { names, higher, decimals }));
      return made;
    };

    const bars = (difference, most, higher) => {
      const cell = make("td", "", { class: "bars" });
      if (difference === null) return cell;
      const svg = draw("svg", { viewBox: "0 0 80 12", width: "80", height: "12", "aria-hidden": "true" });
      const long = Math.round((380 * Math.abs(difference)) / most) / 10;
      const good = (difference > 0) === higher;
      svg.append(draw("rect", { x: difference < 0 ? 40 - long : 40, y: 2, width: long, height: 8, class: good ? "up" : "down" }));
      svg.append(draw("line", { x1: 40, x2: 40, y1: 0, y2: 12, class: "grid" }));
      cell.append(svg);
      return cell;
    };

    const summary = (values, sites, { names, higher, decimals }) => {
      const foot = make("tfoot");
      const mean = foot.insertRow(), ahead = foot.insertRow();
      mean.append(make("th", "Mean where both have a value", { scope: "row" }), make("td"));
      ahead.append(make("th", `Ahead of ${names[0]}`, { scope: "row" }), make("td"));
      values.slice(1).forEach((line) => {
        const differences = line.map((value, s) => (value === null || values[0][s] === null ? null : value - values[0][s]));
        const known = differences.filter((value) => value !== null);
        const total = known.reduce((sum, value) => sum + value, 0);
        const wins = known.filter((value) => (value > 0) === higher && Math.abs(value) > 1e-9).length;
        mean.append(make("td"), make("td", known.length ? signed(total / known.length, decimals) : "–", { class: "num" }));
        ahead.append(make("td"), make("td", known.length ? `at ${wins} of ${known.length}` : "–", { class: "num" }));
        if (names.length === 2) { mean.append(make("td")); ahead.append(make("td")); }
      });
      return foot;
    };

    const show = (speak) => {
      for (const [key, box] of boxes) box.checked = picked.includes(key);
      bar.hidden = !picked.length || !panel.hidden;
      one("[data-picked-text]", bar).textContent = picked.length < 2
        ? "Choose one to three models more to compare" : `${picked.length} models chosen`;
      one("[data-compare]", bar).disabled = picked.length < 2;
      if (picked.length < 2) panel.hidden = true;
      document.body.classList.toggle("comparing", !panel.hidden);
      const map = maps.find((candidate) => candidate.dataset.map === by.value) ?? maps[0];
      if (!panel.hidden) {
        const place = make("div", "", { class: "scroll", role: "region", "aria-label": "Models side by side", tabindex: "0" });
        place.append(table(map));
        one("[data-compared]", panel).replaceChildren(place);
      }
      if (speak) {
        write("compare", picked.join("~"));
        write("by", map === maps[0] || panel.hidden ? "" : by.value);
      }
    };
    const close = () => {
      panel.hidden = true;
      show(true);
      const places = [opener, ...picked.map((key) => boxes.get(key)), one("[data-find]")];
      places.find((place) => place && place.offsetParent !== null)?.focus();
      say("The comparison is closed.");
    };

    one("[data-compare]", bar).addEventListener("click", () => {
      opener = boxes.get(picked.at(-1));
      panel.hidden = false;
      show(true);
      panel.focus();
      say(`${picked.length} models side by side.`);
    });
    for (const button of all("[data-clear], [data-close]")) {
      button.addEventListener("click", () => {
        if (button.dataset.close === undefined) { opener = boxes.get(picked[0]); picked = []; }
        close();
      });
    }
    panel.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
    by.addEventListener("change", () => {
      show(true);
      say(`Side by side by ${by.selectedOptions[0].textContent}.`);
    });

    const restore = () => {
      picked = [...new Set(read("compare").split("~"))].filter((key) => boxes.has(key)).slice(0, MOST);
      by.value = maps.some((map) => map.dataset.map === read("by")) ? read("by") : maps[0].dataset.map;
      panel.hidden = picked.length < 2;
      show(false);
    };
    restore();
    restorers.push(restore);
  };
  if (maps.length && panel && rows.length) comparing();
  window.addEventListener("popstate", () => { for (const restore of restorers) restore(); });
})();
