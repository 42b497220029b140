// What the scripts of the page share. Text goes in through textContent only: a name may hold anything.
"use strict";

window.dash_clientside = window.dash_clientside || {};

window.explorer = (() => {
  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const picture = (run, crop, kind, size) => {
    const query = new URLSearchParams({ kind, size, run });
    return `/image/${encodeURIComponent(crop)}?${query}`;
  };

  const set = (id, props) => window.dash_clientside.set_props(id, props);

  const ask = async (url, body) => {
    const sent = body === undefined ? {} : {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    };
    const answer = await fetch(url, sent);
    if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };

  const address = (page, query) => {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
    return `${page}?${new URLSearchParams(given)}`;
  };

  // As the browser's own buttons do: what the address was changed to meanwhile does not confuse it.
  const go = (href) => {
    window.history.pushState({}, "", href);
    window.dispatchEvent(new PopStateEvent("popstate"));
    window.scrollTo(0, 0);
  };

  let last = 0; // the verdict before, whose message gives way to the next
  const stamp = () => (last = Math.max(Date.now(), last + 1));
  // Verdicts go one after another: the next when the one before has its answer, so that none is lost
  // however fast the keys come. The page asks before it is left while one is on its way.
  const PATIENCE = 30_000; // ms
  const line = [];
  let sent = null;
  let alarm = 0;
  const send = () => {
    if (sent || !line.length) return;
    sent = line.shift();
    alarm = setTimeout(() => {
      say("The page has no answer to the last verdict: look at the history whether it was kept", true);
      sent = null;
      send();
    }, PATIENCE);
    set("verdict", { data: sent });
  };
  window.addEventListener("beforeunload", (event) => sent && event.preventDefault());
  window.dash_clientside.page = {
    settled(at) {
      if (!sent || at !== sent.at) return;
      clearTimeout(alarm);
      sent = null;
      send();
    },
  };
  const decide = (verdict) => {
    const before = last;
    line.push({ ...verdict, at: stamp(), before });
    send();
  };
  const say = (message, failed = false) => {
    const id = `toast-${stamp()}`;
    const color = failed ? "red" : "ocean";
    set("toasts", { sendNotifications: [{ id, action: "show", message, color, autoClose: 6000 }] });
  };

  // The nearest part of the page that scrolls around an element.
  const scroller = (at) => at.closest(".scrolls") || document.scrollingElement;

  // Scroll as little as it takes to show a piece of an element, below what sticks at the top.
  const reveal = (box, top, height) => {
    const around = scroller(box);
    const inside = around !== document.scrollingElement;
    const from = inside ? around.getBoundingClientRect().top : 0;
    const start = box.getBoundingClientRect().top + top - from;
    const above = inside ? 8 : 112;
    const room = inside ? around.clientHeight : window.innerHeight;
    if (start < above) around.scrollTop += start - above;
    else if (start + height > room - 8) around.scrollTop += start + height - room + 8;
  };

  const label = (name, origin) => element("span", `name ${origin}`, name);
  const count = (number, one) => `${number.toLocaleString("en")} ${one}${number === 1 ? "" : "s"}`;

  // Of a page whose keys mean something of their own, such as growing: `own.page` is its selector,
  // and `own.act(action)` says whether it took the key.
  const own = null;

  return { element, picture, set, ask, address, go, decide, say, reveal, label, count, own };
})();
