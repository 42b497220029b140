// Whoever is signed out while the page is open, as by a restart, is asked to sign in again:
// without this, what is decided then would be lost in silence.
"use strict";

(() => {
  const send = window.fetch;
  window.fetch = async (...args) => {
    const answer = await send.apply(window, args);
    if (answer.status === 401 && new URL(answer.url).origin === location.origin) {
      const here = location.pathname + location.search;
      location.assign("/login?" + new URLSearchParams({ next: here }));
    }
    return answer;
  };
})();
