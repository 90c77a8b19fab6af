import { autocompletion, type Completion, type CompletionContext } from "@codemirror/autocomplete";
import { jinja } from "@codemirror/lang-jinja";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import type { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { useComputedColorScheme } from "@mantine/core";
import CodeMirror, { type ReactCodeMirrorRef } from "@uiw/react-codemirror";
import { useEffect, useMemo, useRef } from "react";

import type { Problem } from "@/api/errors";

interface Props {
  value: string;
  onChange?: (value: string) => void;
  /** Those with a line are shown beside it. */
  problems?: Problem[];
  /** What ref() and source() may name: ready calls such as `ref('stg_orders')`. */
  references?: string[];
  columns?: string[];
  label: string;
  height?: string;
}

const EMPTY: Problem[] = [];

/** An SQL editor that knows jinja, completes ref() and source(), and shows problems at their line. */
export function SqlEditor({ value, onChange, problems = EMPTY, references, columns, label, height = "380px" }: Props) {
  const scheme = useComputedColorScheme("light");
  const editor = useRef<ReactCodeMirrorRef>(null);
  const extensions = useMemo(
    () => [
      jinja({ base: sql({ dialect: PostgreSQL }) as never }),
      autocompletion({ override: [completer(references ?? [], columns ?? [])] }),
      lintGutter(),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": label }),
    ],
    [references, columns, label],
  );

  useEffect(() => {
    const view = editor.current?.view;
    if (view) view.dispatch(setDiagnostics(view.state, problems.flatMap((problem) => diagnostic(view.state, problem))));
  }, [problems]);

  return (
    <CodeMirror ref={editor} value={value} onChange={onChange} extensions={extensions} theme={scheme} height={height} readOnly={!onChange}
      indentWithTab={false} basicSetup={{ autocompletion: false, foldGutter: false }}
      onCreateEditor={(view) => view.dispatch(setDiagnostics(view.state, problems.flatMap((problem) => diagnostic(view.state, problem))))} />
  );
}

/** Marks the problem's whole line; a line past the end is the last one. */
export function diagnostic(state: EditorState, problem: Problem): Diagnostic[] {
  if (!problem.line || problem.line < 1) return [];
  const line = state.doc.line(Math.min(problem.line, state.doc.lines));
  return [{ from: line.from, to: line.to, severity: "error", message: problem.message }];
}

/** Inside {{ … }} the calls, elsewhere the columns and words of SQL. */
export function completer(references: string[], columns: string[]) {
  const calls: Completion[] = references.map((text) => ({ label: text, type: "function" }));
  const bare: Completion[] = references.map((text) => ({ label: `{{ ${text} }}`, type: "function" }));
  const words: Completion[] = columns.map((name) => ({ label: name, type: "property" }));
  return (context: CompletionContext) => {
    const before = context.state.sliceDoc(Math.max(0, context.pos - 200), context.pos);
    const inside = before.lastIndexOf("{{") > before.lastIndexOf("}}");
    const word = context.matchBefore(/[\w.('"]*/);
    if (!word || (word.from === word.to && !context.explicit && !/\{\{ ?$/.test(before))) return null;
    return { from: word.from, options: inside ? calls : [...words, ...bare], validFor: /^[\w.(')", ]*$/ };
  };
}

