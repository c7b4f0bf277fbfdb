// Code with line numbers, and patches. Both come as HTML that Python has escaped.
(function (thexp) {
  "use strict";

  const count = (html) => html.split("\n").length - (html.endsWith("\n") ? 1 : 0);

  // Numbers beside the code: they are no part of what is copied.
  function numbered(file, place) {
    const gutter = thexp.node("pre", { class: "gutter", "aria-hidden": "true" });
    gutter.textContent = Array.from({ length: count(file.html) }, (_, line) => line + 1).join("\n");
    const code = thexp.node("pre", { class: "code" });
    code.innerHTML = file.html; // escaped by Pygments
    const label = "code of " + file.path;
    return thexp.node("div", { class: "scroll source", tabindex: "0", role: "region", "aria-label": label, id: "file-" + place + "-text" }, gutter, code);
  }

  function folded(id, title, note, fill) {
    const summary = thexp.node("summary", {}, thexp.node("span", { class: "path" }, title), thexp.node("span", { class: "note" }, note));
    const element = thexp.node("details", { class: "file", id: id }, summary);
    element.addEventListener("toggle", () => {
      if (element.open && element.children.length === 1) element.append(fill());
    });
    return element;
  }

  // The kept files of a run, each opened when it is asked for.
  thexp.code = function (files, left) {
    const list = files.map((file, place) => {
      const lines = file.lines + (file.lines === 1 ? " line" : " lines") + (file.cut ? ", cut" : "");
      return folded("file-" + place, file.path, lines, () => numbered(file, place));
    });
    const find = thexp.filterBox("Files", "part of a path", (text) => {
      const asked = text.toLowerCase();
      list.forEach((each, place) => (each.hidden = !files[place].path.toLowerCase().includes(asked)));
    });
    const absent = (left || []).map(([path, why]) => thexp.node("li", {}, path + ": " + why));
    return thexp.node("div", {},
      files.length > 5 ? thexp.node("div", { class: "controls" }, find.element) : null,
      files.length ? list : thexp.empty("No code was kept, or the page was made without it."),
      absent.length ? thexp.node("p", { class: "note" }, "Not shown:") : null,
      absent.length ? thexp.node("ul", { class: "note" }, absent) : null);
  };

  // What differs from the parent: tables by category, then the patches.
  thexp.diff = function (diff) {
    if (!diff) return thexp.empty("This run has no parent.");
    const remarks = (diff.remarks || []).map((remark) => thexp.node("li", {}, remark));
    const sections = (diff.sections || []).map((section) => {
      const columns = section.heads.map((title, place) => ({
        name: String(place), title: title, kind: "text", value: (row) => row[place], sortable: false,
      }));
      const box = thexp.node("div", {});
      thexp.table(box, columns, section.rows, { label: section.title });
      return thexp.node("div", { class: "group" }, thexp.node("h3", {}, section.title || section.category), box);
    });
    const patches = (diff.patches || []).map((patch, place) => patchOf(patch, place));
    const nothing = !sections.length && !patches.length;
    return thexp.node("div", {},
      thexp.node("p", {}, "Compared with " + diff.key + (nothing ? ": nothing differs." : ".")),
      remarks.length ? thexp.node("ul", { class: "note" }, remarks) : null, sections, patches);
  };

  function patchOf(patch, place) {
    const element = folded("patch-" + place, patch.path, patch.state, () => {
      const text = thexp.node("pre", { class: "code patch" });
      text.innerHTML = patch.html; // escaped by Pygments
      return thexp.node("div", { class: "scroll source", tabindex: "0", role: "region", "aria-label": "patch of " + patch.path }, text);
    });
    if (patch.html) element.open = place < 5;
    return element;
  }
})((window.thexp = window.thexp || {}));
