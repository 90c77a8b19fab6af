import { useSearchParams } from "react-router";

/** One word of the view's state, kept in the URL so that a reload or a link shows the same. */
export function useParam(name: string, fallback = ""): [string, (value: string | null) => void] {
  const [params, setParams] = useSearchParams();
  const set = (value: string | null) =>
    setParams(
      (current) => {
        const next = new URLSearchParams(current);
        if (!value || value === fallback) next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true },
    );
  return [params.get(name) ?? fallback, set];
}
