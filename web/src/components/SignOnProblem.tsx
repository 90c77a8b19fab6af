import { useSearchParams } from "react-router";

import { Notice } from "./Notice";
import { problemSentence } from "./signOn";

/** Why a provider sent the person back without a result: `?problem=<code>` of this page. */
export function SignOnProblem() {
  const code = useSearchParams()[0].get("problem");
  return code ? <Notice alert>{problemSentence(code)}</Notice> : null;
}
