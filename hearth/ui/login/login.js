// Trades the one-time code behind '#' for a session. What is behind '#' reaches no server and no log.
const said = document.getElementById("said");
const behind = location.hash.slice(1);
const code = behind.startsWith("/") ? "" : behind; // else a place in the page, kept for later

async function enter() {
  if (!code) {
    // Led here from elsewhere the browser has kept the cookie back; asked by ourselves it has not.
    const known = await fetch("/api/me");
    if (known.ok) location.reload();
    return;
  }
  history.replaceState(null, "", "/");
  const answer = await fetch("/login", {
    method: "POST",
    headers: { "content-type": "application/json", "x-hearth-page": "1" },
    body: JSON.stringify({ code }),
  });
  if (answer.ok) location.reload();
  else said.textContent = `${(await answer.json()).message} Type:`;
}

enter().catch((error) => { said.textContent = `Hearth gives no answer (${error.message}). Is it running? Type:`; });
