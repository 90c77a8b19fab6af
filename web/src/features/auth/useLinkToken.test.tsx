import { act, cleanup, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { createMemoryRouter, RouterProvider } from "react-router";
import { afterEach, expect, test } from "vitest";

import { useLinkToken } from "./useLinkToken";

afterEach(() => {
  cleanup();
  sessionStorage.clear();
});

/** The hook at an address, and the router to go elsewhere with. */
function open(address: string) {
  let inner: ReactNode;
  const Inner = () => inner;
  const router = createMemoryRouter([{ path: "*", Component: Inner }], { initialEntries: [address] });
  const { result } = renderHook(() => useLinkToken(), {
    wrapper: ({ children }) => {
      inner = children;
      return <RouterProvider router={router} />;
    },
  });
  return { result, router };
}

test("the token leaves the address bar and survives a reload", () => {
  window.history.replaceState(null, "", "/invitation#token=abc");
  expect(open("/invitation#token=abc").result.current.token).toBe("abc");
  expect(window.location.hash).toBe("");
  cleanup();
  expect(open("/invitation").result.current.token).toBe("abc");
});

test("a used token is forgotten, and another page never has it", () => {
  const { result } = open("/invitation#token=abc");
  expect(open("/reset-password").result.current.token).toBe("");
  result.current.forget();
  cleanup();
  expect(open("/invitation").result.current.token).toBe("");
});

test("another link in the same tab replaces the first", async () => {
  const { result, router } = open("/invitation#token=first");
  await act(() => router.navigate("/invitation#token=second"));
  expect(result.current.token).toBe("second");
  expect(sessionStorage.getItem("etlfabric link /invitation")).toBe("second");
});
