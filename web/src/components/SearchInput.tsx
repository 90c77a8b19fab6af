import { TextInput, type TextInputProps } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useState } from "react";

const PAUSE_MS = 200;

interface Props extends Omit<TextInputProps, "value" | "onChange"> {
  label: string;
  initial?: string;
  onSearch: (words: string) => void;
}

/** Tells what was typed when the typing pauses: a long list is not drawn anew for every key. */
export function SearchInput({ label, initial = "", onSearch, ...props }: Props) {
  const [text, setText] = useState(initial);
  const tell = useDebouncedCallback(onSearch, PAUSE_MS);
  return (
    <TextInput {...props} aria-label={label} placeholder="Search by a part of the name" value={text}
      onChange={(event) => (setText(event.currentTarget.value), tell(event.currentTarget.value))} />
  );
}
