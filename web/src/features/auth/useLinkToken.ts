/** The token of a link that came by e-mail. It stands behind the # and so never reaches a log. */
import { useEffect, useState } from "react";
import { useLocation } from "react-router";

const nameOf = (pathname: string) => `etlfabric link ${pathname}`;

/**
 * The token, taken out of the address bar and kept for this tab, so that a reload or a sign-in at
 * a provider comes back to it. `forget` when it is used.
 */
export function useLinkToken(): { token: string; forget: () => void } {
  const { pathname, hash } = useLocation();
  const given = new URLSearchParams(hash.slice(1)).get("token");
  const [token, setToken] = useState(() => given ?? sessionStorage.getItem(nameOf(pathname)) ?? "");
  if (given && given !== token) setToken(given); // another link, opened in the same tab
  useEffect(() => {
    if (!token) return;
    sessionStorage.setItem(nameOf(pathname), token);
    // Not through the router: nothing on the page changes by it.
    window.history.replaceState(window.history.state, "", pathname);
  }, [pathname, token]);
  return { token, forget: () => sessionStorage.removeItem(nameOf(pathname)) };
}
