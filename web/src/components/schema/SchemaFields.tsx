import { JsonInput, NumberInput, PasswordInput, Select, Switch, TagsInput, TextInput } from "@mantine/core";
import type { ReactNode } from "react";

import type { Field } from "./fields";

interface Props {
  fields: Field[];
  values: Record<string, unknown>;
  errors: Record<string, ReactNode>;
  onChange: (name: string, value: unknown) => void;
  /** A stored secret is never shown: an empty field keeps it. */
  storedSecrets?: boolean;
}

/** Form controls for the fields of a schema; every error stands at its control. */
export function SchemaFields({ fields, values, errors, onChange, storedSecrets = false }: Props) {
  return fields.map((field) => (
    <Control key={field.name} field={field} value={values[field.name]} error={errors[field.name]} storedSecrets={storedSecrets}
      onChange={(value) => onChange(field.name, value)} />
  ));
}

function Control({ field, value, error, onChange, storedSecrets }: {
  field: Field;
  value: unknown;
  error: ReactNode;
  onChange: (value: unknown) => void;
  storedSecrets: boolean;
}) {
  const shared = { label: field.label, description: field.description, error, withAsterisk: field.required };
  const text = typeof value === "string" ? value : "";
  switch (field.kind) {
    case "switch":
      return <Switch label={field.label} description={field.description} error={error} checked={Boolean(value)} onChange={(event) => onChange(event.currentTarget.checked)} />;
    case "select":
      return <Select {...shared} data={field.options} value={(value as string | null) ?? null} onChange={onChange} clearable={field.nullable} allowDeselect={false} />;
    case "number":
      return (
        <NumberInput {...shared} value={value as number | string} onChange={onChange} allowDecimal={!field.integer} min={field.minimum} max={field.maximum} />
      );
    case "list":
      return <TagsInput {...shared} value={(value as unknown[]).map(String)} onChange={onChange} allowDuplicates={false} />;
    case "json":
      return <JsonInput {...shared} value={text} onChange={onChange} autosize minRows={3} formatOnBlur />;
    case "password":
      return (
        <PasswordInput {...shared} value={text} onChange={(event) => onChange(event.currentTarget.value)} autoComplete="new-password"
          placeholder={storedSecrets ? "stored; leave empty to keep it" : undefined} />
      );
    default:
      return <TextInput {...shared} value={text} onChange={(event) => onChange(event.currentTarget.value)} maxLength={field.maxLength} />;
  }
}
