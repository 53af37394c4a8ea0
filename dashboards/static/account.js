// The secret of a mail's link stands behind its #, which browsers send to no server and put into no log. It goes from there into the form.
const secret = document.querySelector("input[name=token]");
if (secret && location.hash.length > 1) {
  secret.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}
