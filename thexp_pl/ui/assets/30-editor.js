// Tags and notes of a run, changed where they are read.
(function (thexp) {
  "use strict";

  // A panel for one run at a time; `act(id, change)` gives a line where that is refused.
  thexp.editor = function (act) {
    const panel = thexp.node("section", { class: "editor", "aria-label": "Tags and notes", hidden: true });
    const alert = thexp.node("p", { role: "alert", class: "fault" });
    const drafts = []; // each shows what was typed for the run
    let [row, opener] = [null, null];
    const close = () => {
      const { id } = row;
      panel.hidden = true;
      row = null;
      // its line may have been made anew meanwhile
      const again = opener.isConnected ? opener : document.querySelector('[data-edit="' + id + '"]');
      if (again) again.focus();
    };
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });

    // Whether it was done. A refusal is said also where the panel was closed, or shows another run by now.
    async function change(what) {
      const [was, by] = [row, opener];
      const fault = await act(was.id, what);
      if (fault && !row) open(was, by);
      const same = row && row.id === was.id;
      if (fault || same) alert.textContent = thexp.shown(same ? fault : was.key + ": " + fault);
      return !fault;
    }

    function chip(tag) {
      const take = thexp.node("button", {
        type: "button", class: "take", "aria-label": "remove tag " + tag, onclick: () => change({ remove: [tag] }),
      }, "×");
      return thexp.node("li", { class: "tag" }, tag, take);
    }

    // One input and its button; what is typed stays until it is added, for its own run alone.
    function adding(label, control, button, what) {
      const typed = new Map(); // by the run's id
      const form = thexp.node("form", { class: "adding" }, thexp.label(label, control),
        thexp.node("button", { type: "submit" }, button));
      control.addEventListener("input", () => typed.set(row.id, control.value));
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        const [id, sent] = [row.id, control.value];
        if (!sent.trim() || !(await change(what(sent))) || typed.get(id) !== sent) return;
        typed.delete(id);
        if (row && row.id === id) control.value = "";
      });
      drafts.push(() => (control.value = typed.get(row.id) || ""));
      return form;
    }

    function open(wanted, button) {
      [row, opener] = [wanted, button];
      panel.hidden = false;
      alert.textContent = "";
      drafts.forEach((show) => show());
      fill();
      panel.querySelector("input").focus();
    }

    const tags = thexp.node("ul", { class: "tags" });
    const notes = thexp.node("ul", { class: "notes" });
    const heading = thexp.node("h2", {});
    panel.append(
      thexp.node("div", { class: "head" }, heading,
        thexp.node("button", { type: "button", onclick: close }, "Close")),
      tags,
      adding("New tag", thexp.node("input", { type: "text", autocomplete: "off", maxlength: 200 }), "Add tag",
        (text) => ({ add: [text.trim()] })),
      notes,
      adding("New note", thexp.node("textarea", { rows: 2 }), "Add note", (text) => ({ note: text })),
      alert,
    );

    function fill() {
      heading.textContent = thexp.shown(row.key);
      tags.replaceChildren(...row.tags.map(chip));
      notes.replaceChildren(...row.notes.map((note) => thexp.node("li", {}, thexp.boxed(note, "note"))));
    }

    return {
      element: panel,
      open: open,
      // newer rows: the one that is open may be among them
      refresh: (rows) => {
        const newer = row && rows.find((each) => each.id === row.id);
        if (!newer || newer === row) return;
        row = newer;
        fill();
      },
    };
  };
})((window.thexp = window.thexp || {}));
