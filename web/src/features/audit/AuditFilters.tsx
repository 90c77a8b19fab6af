import { Autocomplete, Button, Group, Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { members } from "@/api/queries";
import type { useAuditFilter } from "./useAuditFilter";

/** Those met most; any other word can be typed. */
const ACTIONS = [
  "create", "update", "delete", "restore", "publish", "run", "replay", "retry", "cancel", "backfill", "state_reset", "state_set", "state_restore", "approve", "reject", "login", "logout", "password_change", "password_reset", "unlink",
];
const TYPES = ["api_key", "connection", "edge", "identity", "invitation", "membership", "node", "organization", "schedule", "schema_change", "upload", "user", "workflow"];

export function AuditFilters({ filter }: { filter: ReturnType<typeof useAuditFilter> }) {
  const people = useQuery(members());
  const set = Object.values(filter.query).some((value) => value !== undefined);
  function clear() {
    for (const empty of [filter.setPerson, filter.setAction, filter.setType, filter.setFrom, filter.setTo]) empty(null);
  }
  return (
    <Group p="md" gap="sm" align="flex-end" role="search" aria-label="Filters">
      <Select label="Person" placeholder="everybody" clearable searchable value={filter.person || null} onChange={filter.setPerson} clearButtonProps={{ "aria-label": "Everybody" }}
        data={(people.data?.items ?? []).map(({ user_id, name, email }) => ({ value: String(user_id), label: `${name} (${email})` }))} />
      <Word label="Action" placeholder="every action" words={ACTIONS} value={filter.action} onChange={filter.setAction} />
      <Word label="On" placeholder="everything" words={TYPES} value={filter.type} onChange={filter.setType} />
      <TextInput label="From" type="date" value={filter.from} onChange={(event) => filter.setFrom(event.currentTarget.value)} />
      <TextInput label="To" type="date" value={filter.to} onChange={(event) => filter.setTo(event.currentTarget.value)} />
      {set && <Button variant="subtle" onClick={clear}>Clear</Button>}
    </Group>
  );
}

/** Takes effect when a word is chosen, or when the field is left or Enter is pressed. */
function Word({ label, placeholder, words, value, onChange }: { label: string; placeholder: string; words: string[]; value: string; onChange: (value: string) => void }) {
  const [text, setText] = useState(value);
  const [known, setKnown] = useState(value);
  if (known !== value) {
    setKnown(value); // changed from outside, as by Clear
    setText(value);
  }
  return (
    <Autocomplete label={label} placeholder={placeholder} data={words} value={text} onChange={setText} w={150} onOptionSubmit={onChange}
      onBlur={() => onChange(text.trim())} onKeyDown={(event) => event.key === "Enter" && onChange(event.currentTarget.value.trim())} />
  );
}
