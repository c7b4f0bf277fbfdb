// What every other file here builds the page with. Texts become text nodes, never markup.
(function (thexp) {
  "use strict";

  // what cannot be seen, or turns the reading direction round
  const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

  const escape = (letter) => "\\u" + letter.charCodeAt(0).toString(16).padStart(4, "0");

  // A text with its control characters spelt out.
  thexp.shown = function (text) {
    return String(text).replace(UNSEEN, escape);
  };

  // node("button", {class: "small", onclick: act}, "text", another)
  thexp.node = function (tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : thexp.shown(value));
    }
    const inner = children.flat().filter((child) => child !== null && child !== undefined);
    element.append(...inner.map((child) => (child instanceof Node ? child : thexp.shown(child))));
    return element;
  };

  const SIGNS = {
    running: "●", finished: "✓", failed: "✕", interrupted: "■", killed: "†", lost: "?", damaged: "!",
  };

  // The status of a run: a sign and a word, so that colour says nothing alone.
  thexp.badge = function (status) {
    const known = Object.hasOwn(SIGNS, status);
    const sign = thexp.node("span", { "aria-hidden": "true" }, known ? SIGNS[status] : "·");
    return thexp.node("span", { class: "badge " + (known ? "is-" + status : "") }, sign, " ", status);
  };

  // A folding section with an address: #id opens it.
  thexp.section = function (id, title, options) {
    const note = thexp.node("span", { class: "note" }, (options && options.note) || "");
    const body = thexp.node("div", { class: "body" });
    const heading = thexp.node("summary", {}, thexp.node("h2", {}, title), note);
    const element = thexp.node("details", { class: "section", id: id }, heading, body);
    element.open = !options || options.open !== false;
    return { id: id, title: title, element: element, body: body, note: note };
  };

  // The contents of a page: a link for each section.
  thexp.contents = function (sections) {
    const links = sections.map((each) =>
      thexp.node("li", {}, thexp.node("a", { href: "#" + each.id, onclick: thexp.follow }, each.title)));
    return thexp.node("nav", { class: "contents", "aria-label": "Contents" }, thexp.node("ul", {}, links));
  };

  // Open all that hides what the address names, and go there.
  thexp.follow = function () {
    requestAnimationFrame(() => {
      let target = null;
      try {
        target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      } catch (error) {
        if (!(error instanceof URIError)) throw error; // not an address that a page made
      }
      if (!target) return;
      for (let each = target; each; each = each.parentElement) {
        if (each.tagName === "DETAILS") each.open = true;
      }
      target.scrollIntoView();
    });
  };

  // A labelled control: label("Smoothing", input)
  thexp.label = function (text, control) {
    return thexp.node("label", { class: "control" }, thexp.node("span", {}, text), control);
  };

  // A line for what is not there.
  thexp.empty = function (text) {
    return thexp.node("p", { class: "empty" }, text);
  };

  // Buttons of which one is chosen: choice("x", [["step", "Step"], ...], "step", onchange)
  thexp.choice = function (label, choices, chosen, onchange) {
    const options = choices.map(([value, text]) =>
      thexp.node("option", { value: value, selected: value === chosen }, text));
    const select = thexp.node("select", { "aria-label": label, onchange: () => onchange(select.value) }, options);
    return thexp.label(label, select);
  };

  // A box to tick: tick("Log y", false, onchange)
  thexp.tick = function (label, ticked, onchange) {
    const box = thexp.node("input", { type: "checkbox", onchange: () => onchange(box.checked) });
    box.checked = ticked;
    return thexp.node("label", { class: "control tick" }, box, thexp.node("span", {}, label));
  };
})((window.thexp = window.thexp || {}));
