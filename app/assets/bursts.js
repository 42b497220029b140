// Bursts: frames are selected, keys act, and proofs open here; the server draws the stacks.
// Keys of this page come before those of the others, on the window and not on the document.
"use strict";

(() => {
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const page = () => document.querySelector(".bursts-page");
  const open = () => document.querySelector("[data-open]")?.dataset.open;
  const frames = () => [...document.querySelectorAll(".burst-frame")];
  const stacks = () => [...document.querySelectorAll(".stack")];
  const bar = () => document.getElementById("burst-merge");
  const merging = () => Boolean(bar() && !bar().hidden);
  const dialog = () => document.getElementById("proof-dialog");

  let selected = new Set();
  let anchor = null; // the frame from which Shift selects
  let of = null; // the burst that the selection is in

  const showSelected = () => {
    for (const made of frames()) {
      made.setAttribute("aria-pressed", String(selected.has(made.dataset.frame)));
    }
    const words = document.getElementById("burst-selected");
    if (words) words.textContent = selected.size ? `${selected.size} selected` : "";
  };

  const toggle = (made, extend) => {
    const ids = frames().map((other) => other.dataset.frame);
    const at = made.dataset.frame;
    const from = ids.indexOf(anchor);
    if (extend && from >= 0) {
      const [low, high] = [from, ids.indexOf(at)].sort((a, b) => a - b);
      ids.slice(low, high + 1).forEach((id) => selected.add(id));
    } else {
      if (!selected.delete(at)) selected.add(at);
      anchor = at;
    }
    showSelected();
  };

  const show = (burst) => set("bursts-open", { data: burst });
  const mergeMode = (on) => {
    if (!bar()) return;
    bar().hidden = !on;
    page().classList.toggle("merging", on);
    if (on) bar().scrollIntoView({ block: "nearest" });
  };

  const decide = (verdict) => {
    set("bursts-verdict", { data: { burst: open(), at: Date.now(), ...verdict } });
    mergeMode(false);
  };

  const actions = {
    accept: () => decide({ action: "accept" }),
    split: () => decide({ action: "split", frames: [...selected] }),
    merge: () => (open() ? mergeMode(!merging()) : decide({ action: "merge" })),
    close: () => show(null),
    clear() {
      if (merging()) mergeMode(false);
      else if (selected.size) { selected.clear(); showSelected(); }
      else if (open()) show(null);
    },
    next: () => beside(1),
    previous: () => beside(-1),
  };

  const beside = (step) => {
    const made = stacks();
    const at = made.findIndex((stack) => stack.dataset.burst === open());
    const to = made[at < 0 ? 0 : Math.max(0, Math.min(at + step, made.length - 1))];
    if (to) show(to.dataset.burst);
  };

  // The arrows move the focus along the frames of the open burst, else along the stacks.
  const focus = (step) => {
    const line = document.activeElement.closest(".burst-frames") ? frames() : stacks();
    const at = line.indexOf(document.activeElement);
    line[at < 0 ? 0 : Math.max(0, Math.min(at + step, line.length - 1))]?.focus();
  };

  const KEYS = {
    a: "accept", s: "split", m: "merge", j: "next", k: "previous", Escape: "clear",
  };
  const ARROWS = { ArrowLeft: -1, ArrowRight: 1 };
  const typing = (at) => at.matches("input, textarea, select, [contenteditable]");

  window.addEventListener("keydown", (event) => {
    if (!page() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (dialog().open) {
      if (event.key === "Escape") dialog().close();
      return void event.stopPropagation(); // the dialog's keys are its own
    }
    if (typing(event.target) || document.querySelector("[aria-modal]")) return;
    if (event.target.closest(".mantine-SegmentedControl-root, .leak-scroll")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === " " || key === "Enter") return void event.stopPropagation(); // the button's own
    if (key in ARROWS && merging()) decide({ action: "merge", into: ARROWS[key] < 0 ? "before" : "after" });
    else if (key in ARROWS) focus(ARROWS[key]);
    else if (key in KEYS) actions[KEYS[key]]();
    else return undefined;
    event.preventDefault();
    return event.stopPropagation();
  }, true);

  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest(selector);
    const proof = at("[data-proof]");
    if (proof) return void look(...proof.dataset.proof.split(" "));
    if (at("#proof-close") || event.target === dialog()) return dialog().close();
    if (!page()) return undefined;
    const act = at("[data-burst-do]");
    if (act) return actions[act.dataset.burstDo]();
    const into = at("[data-into]");
    if (into) return decide({ action: "merge", into: into.dataset.into });
    const stack = at(".stack");
    if (stack && merging()) return decide({ action: "merge", into: stack.dataset.burst });
    if (stack) return show(stack.dataset.burst);
    const frame = at(".burst-frame");
    return frame && toggle(frame, event.shiftKey);
  });

  // A proof is drawn by a process of its own; while another is drawn, ask again.
  const proven = async (pair) => {
    const answer = await fetch(`/proof/${pair}`);
    if (answer.status !== 503) return answer.ok ? answer.json() : { error: await answer.text() };
    await new Promise((done) => setTimeout(done, 1000));
    return wanted === pair ? proven(pair) : {};
  };

  let wanted = null;
  const look = async (a, b) => {
    const pair = `${encodeURIComponent(a)}/${encodeURIComponent(b)}`;
    const [said, picture] = ["proof-said", "proof-picture"].map((id) => document.getElementById(id));
    wanted = pair;
    said.textContent = "Comparing the two frames; the first time this takes some seconds.";
    picture.hidden = true;
    if (!dialog().open) dialog().showModal();
    const found = await proven(pair);
    if (wanted !== pair) return;
    said.textContent = found.error ? `They cannot be compared: ${found.error}` : found.verdict;
    if (found.error) return;
    picture.alt = "Both frames side by side, with the matched points";
    picture.src = `/proof-image/${pair}`;
    picture.hidden = false;
  };

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.bursts = {
    clicked(click) {
      const [burst] = click?.points[0].customdata || [];
      return burst || window.dash_clientside.no_update;
    },

    // Keep the address true to what is shown, without loading the page anew.
    address(burst, shown, leaf, place) {
      const query = new URLSearchParams({ dive: place.dive, show: shown, leaf });
      if (burst) query.set("burst", burst);
      window.history.replaceState(window.history.state, "", `?${query}`);
      return query.toString();
    },

    // What was selected stays so when the same burst is drawn anew.
    drawn() {
      if (of !== open()) {
        of = open();
        selected = new Set();
        anchor = null;
      }
      const there = new Set(frames().map((made) => made.dataset.frame));
      selected = new Set([...selected].filter((id) => there.has(id)));
      showSelected();
      for (const stack of stacks()) {
        const on = stack.dataset.burst === of;
        stack.classList.toggle("opened", on);
        stack.setAttribute("aria-pressed", String(on));
      }
      page()?.classList.toggle("merging", merging());
      return of || null;
    },

    dive(dive, place) {
      if (!dive || dive === place.dive) return window.dash_clientside.no_update;
      return `?${new URLSearchParams({ dive })}`;
    },
  };
})();
