"use strict";
// Sorting, and the table of VMs. Names only ever become text, never markup.
(() => {
  const PAGE = 100;
  const SELECTS = ["phase", "group", "stage", "path", "disposition", "os", "power", "cluster", "worst"];
  // What hides or turns text around, such as a right-to-left override, is shown by its number.
  const plain = (text) => /^[ -~]*$/.test(text) ? text : text.replace(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (each) => `\\u${each.codePointAt(0).toString(16).padStart(4, "0")}`);
  const make = (name, text, set = {}) => {
    const element = document.createElement(name);
    if (text !== undefined && text !== null) element.textContent = plain(String(text));
    for (const [key, value] of Object.entries(set)) element.setAttribute(key, value);
    return element;
  };
  const collator = new Intl.Collator("en", { numeric: true });
  const compare = (one, other) => {
    if (one === "" || one === null) return other === "" || other === null ? 0 : 1;
    if (other === "" || other === null) return -1;
    return typeof one === "number" && typeof other === "number" ? one - other : collator.compare(one, other);
  };

  function sortButton(heading, sort) {
    const button = make("button", heading.textContent, { type: "button" });
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      for (const each of heading.parentElement.children) each.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(down ? -1 : 1);
    });
  }

  function sortable(table) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((heading, column) => sortButton(heading, (way) => {
      const value = (row) => {
        const cell = row.cells[column];
        if (cell.dataset.n === undefined) return cell.textContent;
        return cell.dataset.n === "" ? null : Number(cell.dataset.n);
      };
      const rows = [...body.rows].map((row) => [value(row), row]);
      rows.sort((one, other) => way * compare(one[0], other[0]));
      body.append(...rows.map((row) => row[1]));
    }));
  }

  const size = (bytes) => bytes === null ? "" : bytes >= 2 ** 40 ? `${(bytes / 2 ** 40).toFixed(1)} TiB` : `${Math.ceil(bytes / 2 ** 30)} GiB`;
  const number = (value) => value === null ? "" : String(value);

  function estate(data) {
    const text = data.strings;
    const facet = new Map(data.facets.map((name, index) => [name, index]));
    const values = (row, name) => row[0][facet.get(name)].map((index) => text[index]);
    const name = (row) => text[row[2]];
    const number = new Map(text.map((value, index) => [value, index]));
    return { data, text, facet, number, values, name };
  }

  function table(place, known, query) {
    const { data, values, name } = known;
    const columns = data.columns;
    const filters = new Map();
    const form = make("form", null, { class: "filters", role: "search", "aria-label": "VMs" });
    const field = (label, input) => {
      const box = make("div");
      input.id = `f-${label}`;
      box.append(make("label", label, { for: input.id }), input);
      form.append(box);
    };
    const words = make("input", null, { type: "search", autocomplete: "off" });
    field("name", words);
    const offered = new Set([...SELECTS, ...query.map(([column]) => column)]);
    for (const column of offered) {
      if (!known.facet.has(column)) continue;
      const select = make("select");
      const all = new Map();
      const which = known.facet.get(column);
      for (const row of data.rows) for (const value of row[0][which]) all.set(value, (all.get(value) || 0) + 1);
      if (all.size < 2 && !query.some(([each]) => each === column)) continue;
      select.append(make("option", "all", { value: "" }));
      const offered = [...all].map(([value, count]) => [known.text[value], count]).sort((one, other) => collator.compare(one[0], other[0]));
      for (const [value, count] of offered) select.append(make("option", `${value} (${count})`, { value: `=${value}` }));
      field(column, select);
      filters.set(column, select);
      const wanted = query.find(([each]) => each === column);
      if (wanted) select.value = `=${wanted[1]}`;
      select.addEventListener("change", draw);
    }
    const clear = make("button", "Show all", { type: "button" });
    clear.addEventListener("click", () => { words.value = ""; for (const each of filters.values()) each.value = ""; draw(); });
    form.append(clear);
    form.addEventListener("submit", (event) => event.preventDefault());
    words.addEventListener("input", draw);
    const status = make("p", "", { class: "note", role: "status", id: "count" });
    const body = make("tbody");
    const head = make("tr");
    let order = null;
    columns.forEach((column, index) => {
      const heading = make("th", column.name, { scope: "col" });
      if (column.unit !== "text") heading.className = "n";
      head.append(heading);
      sortButton(heading, (way) => { order = [index, way]; draw(); });
    });
    const cell = (row, column) => column.facet ? values(row, column.facet).join(", ") : column.number === undefined ? name(row) : row[1][column.number];
    let found = [];
    let drawn = 0;
    const more = make("div", null, { id: "more" });
    function draw() {
      const term = words.value.trim().toLowerCase();
      const wanted = [...filters].filter(([, select]) => select.value).map(([column, select]) => [known.facet.get(column), known.number.get(select.value.slice(1))]);
      found = data.rows.filter((row) => wanted.every(([column, value]) => row[0][column].includes(value)) && (!term || name(row).toLowerCase().includes(term)));
      if (order) {
        const [index, way] = order;
        found = found.map((row) => [cell(row, columns[index]), row]).sort((one, other) => way * compare(one[0], other[0])).map((each) => each[1]);
      }
      const total = (which) => found.reduce((sum, row) => sum + (row[1][which] || 0), 0);
      status.textContent = `${found.length} of ${data.rows.length} VMs; ${total(0)} vCPUs, ${size(total(1))} of memory, ${size(total(2))} of disks`;
      status.dataset.count = found.length;
      status.dataset.disks = total(2);
      body.replaceChildren();
      drawn = 0;
      next();
    }
    function next() {
      const rows = document.createDocumentFragment();
      for (const row of found.slice(drawn, drawn + PAGE)) {
        const line = make("tr");
        columns.forEach((column, index) => {
          const value = cell(row, column);
          const { unit } = column;
          const box = make("td", unit === "bytes" ? size(value) : unit === "count" ? number(value) : undefined);
          if (unit !== "text") box.className = "n";
          else if (index === 0) box.append(make("a", value, { href: `#vm?${new URLSearchParams({ key: values(row, "key")[0] })}` }));
          else box.textContent = plain(value);
          line.append(box);
        });
        rows.append(line);
      }
      body.append(rows);
      drawn += PAGE;
      more.hidden = drawn >= found.length;
    }
    new IntersectionObserver((entries) => { if (entries.some((each) => each.isIntersecting) && drawn < found.length) next(); }, { rootMargin: "600px" }).observe(more);
    const element = make("table");
    const top = make("thead");
    top.append(head);
    element.append(top, body);
    const wide = make("div", null, { class: "wide", role: "region", "aria-label": "VMs", tabindex: "0" });
    wide.append(element);
    more.append(make("p", "Scroll for more.", { class: "note" }));
    place.replaceChildren(form, status, wide, more);
    draw();
  }

  function one(place, known, key) {
    const { data, text, values, name } = known;
    const row = data.rows.find((each) => values(each, "key")[0] === key);
    place.replaceChildren();
    if (!row) return;
    place.append(make("h2", name(row)));
    const list = (title, headings, lines) => {
      if (!lines.length) return;
      place.append(make("h3", title));
      const element = make("table"), top = make("thead"), head = make("tr"), body = make("tbody");
      for (const each of headings) head.append(make("th", each, { scope: "col" }));
      top.append(head);
      for (const line of lines) {
        const cells = make("tr");
        for (const each of line) cells.append(make("td", each));
        body.append(cells);
      }
      element.append(top, body);
      const wide = make("div", null, { class: "wide", role: "region", "aria-label": title, tabindex: "0" });
      wide.append(element);
      place.append(wide);
    };
    const said = (index) => index < 0 ? "" : text[index];
    list("Decisions", ["what", "decided", "why", "where"], row[3].map(([what, value, why, file, line]) => [said(what), said(value), said(why), file < 0 ? "" : line ? `${said(file)}:${line}` : said(file)]));
    list("Findings", ["severity", "rule", "what"], row[4].map((each) => each.map(said)));
    list("Facts", ["what", "value"], data.facets.filter((each) => each !== "key").map((each) => [each, values(row, each).join(", ")]));
    place.focus({ preventScroll: false });
  }

  function route(known) {
    const [target, query] = location.hash.slice(1).split("?");
    const parameters = [...new URLSearchParams(query || "")];
    const page = target === "vm" ? "vms" : target;
    if (document.body.classList.contains("single")) {
      const articles = [...document.querySelectorAll("article")];
      const shown = articles.find((each) => each.id === page) || articles.find((each) => !each.hidden);
      for (const each of articles) each.hidden = each !== shown;
      for (const each of document.querySelectorAll("nav a")) {
        if (each.dataset.page === shown.id) each.setAttribute("aria-current", "page");
        else each.removeAttribute("aria-current");
      }
    }
    const all = document.getElementById("all");
    if (!all || !known) return;
    if (target === "vm") {
      if (!all.childElementCount) table(all, known, []);
      one(document.getElementById("one"), known, new URLSearchParams(query).get("key"));
    } else {
      document.getElementById("one").replaceChildren();
      if (target === "vms" || !all.childElementCount) table(all, known, parameters.filter(([column]) => known.facet.has(column)));
    }
  }

  for (const each of document.querySelectorAll("table[data-sortable]")) sortable(each);
  const embedded = document.getElementById("data");
  const data = embedded ? JSON.parse(embedded.textContent) : globalThis.VMFERRY;
  const known = data ? estate(data) : null;
  addEventListener("hashchange", () => route(known));
  route(known);
})();
