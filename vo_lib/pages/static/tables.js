// Tables of a report that can be sorted and searched. One page of rows is shown at a time, so that their number is no limit.
"use strict";
(() => {
  const { project, pages, tables } = window.voReport;
  const marks = openMarks(project);
  const served = location.protocol.startsWith("http");
  const PER_PAGE = 50;
  // Longer texts wrap, so that they do not push the other columns out of view.
  const LONG = 40;

  // Columns hold numbers, or texts as {words, codes} with sorted words.
  const cellOf = (column, row) => (column.words ? column.words[column.codes[row]] : column.values[row]);
  const orderOf = (column, row) => (column.words ? column.codes[row] : column.values[row]);

  function format(column, row) {
    const value = cellOf(column, row);
    if (value === null || value === "") return "–";
    if (typeof value !== "number") return value;
    if (column.digits === null) return value.toLocaleString("en");
    const text = value.toFixed(column.digits);
    return column.signed && value > 0 ? `+${text}` : text;
  }

  // URL of a source's page if it was written or a server makes it, else null.
  function addressOf(table, row) {
    const name = cellOf(table.columns[table.source], row);
    if (Object.hasOwn(pages, name)) return pages[name];
    return served ? `page?name=${encodeURIComponent(name)}` : null;
  }

  function build(place) {
    const table = tables[place.dataset.table];
    const size = table.rows;
    const state = { search: "", only: "", sort: null, down: false, first: 0, order: null };
    const said = make("p", { role: "status", class: "soft" });
    const body = make("tbody");
    const id = place.dataset.table;

    // Find the rows that match the search and the selection, sort them and show the first ones.
    function select() {
      const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
      const choice = table.columns.find((column) => column.name === table.choice);
      const wanted = state.only ? choice.words.indexOf(state.only) : -1;
      const texts = table.columns.filter((column) => column.words);
      const hits = words.map((word) => texts.map((column) => column.words.map((text) => text.toLowerCase().includes(word))));
      const rows = [];
      for (let row = 0; row < size; row++) {
        if (state.only && choice.codes[row] !== wanted) continue;
        if (hits.every((found) => found.some((known, n) => known[texts[n].codes[row]]))) rows.push(row);
      }
      if (state.sort !== null) {
        const column = table.columns[state.sort];
        const sign = state.down ? -1 : 1;
        // Missing values are last in both directions.
        rows.sort((a, b) => {
          const [x, y] = [orderOf(column, a), orderOf(column, b)];
          if (x === null || y === null) return (x === null) - (y === null) || a - b;
          return sign * (x - y) || a - b;
        });
      }
      state.order = rows;
      state.first = 0;
      show();
    }

    function line(row) {
      const cells = table.columns.map((column, number) => {
        const text = format(column, row);
        const look = column.words ? (text.length > LONG ? { class: "long" } : {}) : { class: "number" };
        const cell = make(number ? "td" : "th", look);
        if (!number) cell.scope = "row";
        const address = number === table.source ? addressOf(table, row) : null;
        if (address) cell.append(make("a", { href: address }, text));
        else cell.textContent = text;
        return cell;
      });
      const name = cellOf(table.columns[table.source], row);
      const own = table.keys ? marks.get(name, table.keys[row])?.verdict : marks.of(name);
      return make("tr", {}, cells[0], make("td", {}, own || "–"), ...cells.slice(1));
    }

    function show() {
      const rows = state.order.slice(state.first, state.first + PER_PAGE);
      body.replaceChildren(...rows.map(line));
      const last = state.first + rows.length;
      said.textContent = rows.length
        ? `Rows ${(state.first + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${state.order.length.toLocaleString("en")}${state.order.length < size ? `, out of ${size.toLocaleString("en")}` : ""}`
        : "No rows match";
      turn.first.disabled = turn.back.disabled = state.first === 0;
      turn.on.disabled = turn.last.disabled = last >= state.order.length;
    }

    function sortBy(number) {
      // Numbers are sorted in descending order first, texts in ascending order.
      state.down = state.sort === number ? !state.down : !table.columns[number].words;
      state.sort = number;
      heads.forEach((head, other) => {
        if (other === number) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
      select();
    }

    const heads = table.columns.map((column, number) => {
      const button = make("button", { type: "button", class: "sort", title: column.help }, column.title);
      button.addEventListener("click", () => sortBy(number));
      return make("th", { scope: "col", ...(column.words ? {} : { class: "number" }) }, button);
    });
    const lastPage = () => Math.max(0, Math.floor((state.order.length - 1) / PER_PAGE) * PER_PAGE);
    const jumps = { first: ["First", () => 0], back: ["Previous", () => state.first - PER_PAGE], on: ["Next", () => state.first + PER_PAGE], last: ["Last", lastPage] };
    const turn = {};
    for (const [name, [text, to]] of Object.entries(jumps)) {
      turn[name] = make("button", { type: "button" }, text);
      turn[name].addEventListener("click", () => { state.first = to(); show(); });
    }

    const search = make("input", { type: "search", id: `${id}-search` });
    let waiting = 0;
    search.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => { state.search = search.value; select(); }, 150);
    });
    const controls = make("div", { class: "controls" }, make("label", { for: search.id }, "Search"), search);
    if (table.choice) controls.append(...choices());
    controls.append(make("div", { class: "controls", role: "group", "aria-label": "Rows" }, ...Object.values(turn)));

    function choices() {
      const column = table.columns.find((one) => one.name === table.choice);
      const counts = column.words.map(() => 0);
      for (const code of column.codes) counts[code] += 1;
      const select_ = make("select", { id: `${id}-only` }, make("option", { value: "" }, `all (${size.toLocaleString("en")})`));
      column.words.forEach((word, code) => select_.append(make("option", { value: word }, `${word} (${counts[code].toLocaleString("en")})`)));
      select_.addEventListener("change", () => { state.only = select_.value; select(); });
      return [make("label", { for: select_.id }, "Show sources"), select_];
    }

    const whole = make("table", {}, make("caption", {}, make("span", {}, table.caption)), make("thead", {}, make("tr", {}, heads[0], make("th", { scope: "col" }, "Mark"), ...heads.slice(1))), body);
    place.replaceChildren(controls, said, make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": table.caption }, whole));
    select();
    marks.onChange(show);
  }

  document.querySelectorAll("[data-table]").forEach(build);
  const save = document.getElementById("export");
  if (save) {
    save.hidden = false;
    save.addEventListener("click", () => saveText(`${project}_marks.csv`, marks.csv()));
  }
})();
