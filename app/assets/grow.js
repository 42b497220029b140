// Growing a cluster: the keys answer, and the address keeps the answers.
"use strict";

(() => {
  const { explorer } = window;
  const { gallery, set } = explorer;

  const answer = (said) => {
    set("grow-answer", { data: { answer: said, wrong: [...gallery.selected], at: Date.now() } });
    return true;
  };
  const single = () => Boolean(gallery.listing && gallery.listing.one_by_one);

  explorer.own = {
    page: ".grow-page",
    act(action) {
      if (action === "undo") return answer("back");
      if (action === "approve") return answer(single() ? "chosen" : "all");
      if (action === "reject") return answer("none");
      if (action === "open") return single() ? answer("chosen") : true;
      // Other verdicts wait until the growing is done.
      return ["name", "merge", "split", "grow", "flag", "indeterminate", "take", "unname", "redo", "all"].includes(action);
    },
  };

  window.dash_clientside.grow = {
    keep(state) {
      document.querySelector(".growing-side")?.classList.toggle("growing", single());
      const query = new URLSearchParams(window.location.search);
      Object.entries(state).forEach(([key, value]) => query.set(key, value));
      window.history.replaceState(window.history.state, "", `?${query}`);
      return query.toString();
    },
  };
})();
