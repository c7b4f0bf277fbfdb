// Questions to the server.
(function (thexp) {
  "use strict";

  const EVERY = 2000; // milliseconds from one question to the next

  // A question to the server: its answer, or a line of what is wrong.
  // `kept` is {mark, value}: what was answered before, and is given again where nothing changed.
  thexp.ask = async function (address, kept, options) {
    const headers = { ...(options && options.headers) };
    if (kept && kept.mark) headers["If-None-Match"] = kept.mark;
    let answer;
    try {
      answer = await fetch(address, { cache: "no-store", ...options, headers: headers });
    } catch {
      return { error: "The server does not answer; `thexp-pl ui` starts it.", lost: true };
    }
    if (answer.status === 304) return kept.value;
    const value = await answer.json().catch(() => ({ error: "The server refused: " + answer.status }));
    if (kept) [kept.mark, kept.value] = [answer.headers.get("etag"), value];
    return value;
  };

  // Do something again and again while the page is seen; less often where it takes long.
  thexp.repeat = function (act) {
    let waiting = 0;
    const next = async () => {
      clearTimeout(waiting);
      if (document.hidden) return;
      const begin = performance.now();
      try {
        await act();
      } finally {
        clearTimeout(waiting);
        waiting = setTimeout(next, Math.max(EVERY, 4 * (performance.now() - begin)));
      }
    };
    document.addEventListener("visibilitychange", next);
    waiting = setTimeout(next, EVERY);
    return next;
  };

  // Change tags and notes of a run: the row as it is then, or a line of what is wrong.
  thexp.change = function (id, change) {
    return thexp.ask("/api/run/" + id + "/notes", null, {
      method: "POST", body: JSON.stringify(change),
      headers: { "Content-Type": "application/json", "X-Thexp": "1" },
    });
  };
})((window.thexp = window.thexp || {}));
