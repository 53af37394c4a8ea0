// Three small things that Streamlit leaves to the page: links without a reload, leaving when the session ends, and a title.
(function () {
  "use strict";
  // A link inside the app: Streamlit changes its page when the address changes by itself (popstate), without loading anew.
  document.addEventListener("click", function (event) {
    var link = event.target.closest && event.target.closest("a.nav");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    history.pushState({}, "", link.getAttribute("href"));
    window.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
    var main = document.querySelector("[data-testid=stMain]");
    if (main) main.scrollTo(0, 0);
  }, true);

  // Signing out is a POST, so that no picture or link on another site can do it.
  document.addEventListener("click", function (event) {
    if (!(event.target.closest && event.target.closest(".sign-out"))) return;
    event.preventDefault();
    var form = document.createElement("form");
    form.method = "post";
    form.action = "/session/logout";
    document.body.appendChild(form);
    form.submit();
  }, true);

  function leave() {
    var here = location.pathname + location.search;
    location.assign("/session/login" + (here === "/" ? "" : "?next=" + encodeURIComponent(here)));
  }

  // A session that ended elsewhere (other tab, too old, revoked) ends here too; asking does not keep it awake.
  function ask() {
    if (document.visibilityState !== "visible") return;
    fetch("/session/state", { cache: "no-store" }).then(function (answer) {
      if (answer.status === 401) leave();
    }, function () { /* the server is away: Streamlit says so and connects again */ });
  }
  setInterval(ask, 5000);
  document.addEventListener("visibilitychange", ask);

  // Somebody at the keyboard keeps it awake.
  var last = Date.now();
  function used() {
    if (Date.now() - last < 60000) return;
    last = Date.now();
    fetch("/session/alive", { method: "POST", cache: "no-store" }).catch(function () { /* asked again at the next touch */ });
  }
  document.addEventListener("pointerdown", used, true);
  document.addEventListener("keydown", used, true);
})();
