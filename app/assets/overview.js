// The three steps of the first visit: shown until they are closed, once in each browser.
// `data-welcome` is "close" on their own button, and "open" wherever they can be asked for again.
"use strict";

(() => {
  const KEY = "explorer-welcome";
  const strip = () => document.getElementById("overview-welcome");

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.overview = {
    welcome: () => window.localStorage.getItem(KEY) === "closed",
  };

  document.addEventListener("click", (event) => {
    const at = event.target.closest("[data-welcome]");
    if (!at) return;
    const open = at.dataset.welcome === "open";
    if (open) window.localStorage.removeItem(KEY);
    else window.localStorage.setItem(KEY, "closed");
    if (strip()) window.dash_clientside.set_props("overview-welcome", { hidden: !open });
    else window.dash_clientside.set_props("url", { pathname: "/", search: "" });
    if (open) window.dash_clientside.set_props("help", { opened: false });
  });
})();
