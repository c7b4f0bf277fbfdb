// A table that sorts, and keeps its place and focus when rows change.
(function (thexp) {
  "use strict";

  const SIDES = { number: "number", text: "text" };

  function cellOf(column, row) {
    const value = column.value(row);
    const shown = column.node ? column.node(row) : thexp.text.value(value);
    if (shown instanceof Node) return thexp.node("td", { class: SIDES[column.kind] }, shown);
    const inner = thexp.node("span", { class: "cell" }, shown);
    if (shown.length > 24) inner.title = thexp.shown(shown);
    return thexp.node("td", { class: SIDES[column.kind] }, inner);
  }

  // Rows in the order of a column; equal ones as they came.
  function sorted(rows, column, reverse) {
    if (!column) return rows.slice();
    const keyed = rows.map((row, place) => ({ row: row, place: place, value: column.value(row) }));
    keyed.sort((a, b) => {
      const order = thexp.text.order(a.value, b.value);
      return (reverse && !order.fixed ? -order.by : order.by) || a.place - b.place;
    });
    return keyed.map((each) => each.row);
  }

  // thexp.table(element, columns, rows, options) puts a table into the element.
  //   columns: [{name, title, kind: "text" | "number", value(row), node?(row), sortable?: false}]
  //   options: {label, id(row), sort, reverse, empty, limit, chosen: Set of ids, onchoose(), onsort(name,
  //             reverse) (then the caller sorts), order: [name, reverse] kept by onsort's caller, rowClass(row)}
  // Returns {rows(rows), columns(columns), refresh(), order()}.
  thexp.table = function (element, columns, rows, options) {
    const state = {
      columns: columns, rows: rows, options: options || {}, made: new Map(),
      sort: (options && options.sort) || "", reverse: Boolean(options && options.reverse), all: false,
    };
    state.head = thexp.node("tr", {});
    state.body = thexp.node("tbody", {});
    const label = state.options.label || "table";
    const table = thexp.node("table", { "aria-label": label }, thexp.node("thead", {}, state.head), state.body);
    const box = { class: "scroll", tabindex: "0", role: "region", "aria-label": label };
    state.foot = thexp.node("div", { class: "foot" });
    element.replaceChildren(thexp.node("div", box, table), state.foot);
    drawHead(state);
    drawBody(state);
    return {
      rows: (next) => { state.rows = next; drawBody(state); },
      columns: (next) => { state.columns = next; age(state); drawHead(state); drawBody(state); },
      refresh: () => { age(state); drawBody(state); },
      order: () => [state.sort, state.reverse],
    };
  };

  // Have all lines made anew; those that stand there still tell where the focus is.
  function age(state) {
    for (const line of state.made.values()) line.row = null;
  }

  function drawHead(state) {
    const focused = document.activeElement && document.activeElement.dataset.column;
    const cells = state.columns.map((column) => headOf(state, column));
    if (state.options.chosen) cells.unshift(thexp.node("th", { scope: "col", class: "pick" }, pickAll(state)));
    state.head.replaceChildren(...cells);
    const again = focused && cells.map((cell) => cell.firstChild).find((each) => each.dataset.column === focused);
    if (again) again.focus();
  }

  function headOf(state, column) {
    const attributes = { scope: "col", class: SIDES[column.kind] };
    if (column.sortable === false) return thexp.node("th", attributes, thexp.node("span", {}, column.title));
    const active = state.sort === column.name;
    if (active) attributes["aria-sort"] = state.reverse ? "descending" : "ascending";
    const sign = thexp.node("span", { class: "sign", "aria-hidden": "true" }, active ? (state.reverse ? "▼" : "▲") : "");
    const set = { type: "button", "data-column": column.name, title: column.title };
    const title = thexp.node("span", { class: "cell" }, column.title);
    const button = thexp.node("button", set, title, sign);
    button.addEventListener("click", () => sortBy(state, column));
    return thexp.node("th", attributes, button);
  }

  function sortBy(state, column) {
    // numbers begin with the greatest, which is what one looks for; a third click gives the first order back
    const first = column.kind === "number";
    if (state.sort !== column.name) [state.sort, state.reverse] = [column.name, first];
    else if (state.reverse === first) state.reverse = !first;
    else [state.sort, state.reverse] = ["", false];
    drawHead(state);
    if (state.options.onsort) state.options.onsort(state.sort, state.reverse);
    else drawBody(state);
  }

  function pickAll(state) {
    const box = thexp.node("input", { type: "checkbox", "aria-label": "choose all rows" });
    box.addEventListener("change", () => {
      for (const row of state.rows) {
        if (box.checked) state.options.chosen.add(state.options.id(row));
        else state.options.chosen.delete(state.options.id(row));
      }
      drawBody(state);
      state.options.onchoose();
    });
    state.pickAll = box;
    return box;
  }

  function drawBody(state) {
    const { options } = state;
    const column = options.onsort ? null : state.columns.find((each) => each.name === state.sort);
    const ordered = sorted(state.rows, column, state.reverse);
    const limit = state.all ? Infinity : options.limit || 500;
    const lines = ordered.slice(0, limit).map((row, place) => lineOf(state, row, place));
    const spot = focusIn(state);
    state.made = new Map(lines.map((line) => [line.id, line]));
    settle(state.body, lines.map((line) => line.element));
    if (spot && state.made.has(spot.id)) {
      const again = inLine(state.made.get(spot.id))[spot.place];
      if (again && again !== document.activeElement) again.focus({ preventScroll: true });
    }
    if (state.pickAll) {
      const ticked = state.rows.filter((row) => options.chosen.has(options.id(row))).length;
      state.pickAll.checked = ticked > 0 && ticked === state.rows.length;
      state.pickAll.indeterminate = ticked > 0 && ticked < state.rows.length;
    }
    drawFoot(state, ordered.length - lines.length);
  }

  const inLine = (line) => Array.from(line.element.querySelectorAll("a, button, input, select, summary"));

  // Where the focus is among the rows, by the row's id: its line may be made anew.
  function focusIn(state) {
    for (const line of state.made.values()) {
      const place = inLine(line).indexOf(document.activeElement);
      if (place >= 0) return { id: line.id, place: place };
    }
    return null;
  }

  // The elements in this order, moving none that stands right.
  function settle(parent, elements) {
    const wanted = new Set(elements);
    for (const child of Array.from(parent.children)) if (!wanted.has(child)) child.remove();
    elements.forEach((element, place) => {
      if (parent.children[place] !== element) parent.insertBefore(element, parent.children[place] || null);
    });
  }

  function drawFoot(state, left) {
    const { options } = state;
    state.foot.replaceChildren();
    if (!state.rows.length) state.foot.append(thexp.empty(options.empty || "Nothing here."));
    if (left <= 0) return;
    const more = () => { state.all = true; drawBody(state); };
    state.foot.append(thexp.node("button", { type: "button", onclick: more }, "Show " + left + " more rows"));
  }

  // The line of a row: the one that is there, where the row is the same as before.
  function lineOf(state, row, place) {
    const { options } = state;
    const id = options.id ? options.id(row) : place;
    const old = state.made.get(id);
    const chosen = Boolean(options.chosen && options.chosen.has(id));
    if (old && old.row === row) {
      if (old.box) old.box.checked = chosen;
      return old;
    }
    const cells = state.columns.map((column) => cellOf(column, row));
    const element = thexp.node("tr", { class: options.rowClass ? options.rowClass(row) : null }, cells);
    const line = { id: id, row: row, element: element, box: null };
    if (options.chosen) {
      line.box = pickOf(state, row, id, chosen);
      element.prepend(thexp.node("td", { class: "pick" }, line.box));
    }
    return line;
  }

  function pickOf(state, row, id, chosen) {
    const name = "choose " + (state.options.nameOf ? state.options.nameOf(row) : id);
    const box = thexp.node("input", { type: "checkbox", "aria-label": name });
    box.checked = chosen;
    box.addEventListener("change", () => {
      if (box.checked) state.options.chosen.add(id);
      else state.options.chosen.delete(id);
      drawBody(state);
      state.options.onchoose();
    });
    return box;
  }
})((window.thexp = window.thexp || {}));
