import { Button, Group, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMemo } from "react";

import { $api } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { changed } from "@/api/queries";
import type { Connection, Connector, Dialect } from "@/api/types";
import { ErrorAlert } from "@/components/ErrorAlert";
import { fields, initialValues, outgoing, validate, type JsonSchema } from "@/components/schema/fields";
import { SchemaFields } from "@/components/schema/SchemaFields";
import { TestResult } from "./TestResult";
import { Uploads } from "./Uploads";

export interface ConnectionValues {
  name: string;
  config: Record<string, unknown>;
  secrets: Record<string, string>;
}

interface Props {
  connector: Connector;
  connection?: Connection;
  readOnly?: boolean;
  saving: boolean;
  error: unknown;
  onSave: (values: ConnectionValues) => void;
}

/** The form of a connector, made from its JSON Schemas; test before save. */
export function ConnectionForm({ connector, connection, readOnly, saving, error, onSave }: Props) {
  const config = useMemo(() => fields(connector.config as JsonSchema), [connector]);
  const secrets = useMemo(() => fields(connector.secrets as JsonSchema), [connector]);
  const files = config.find(({ name }) => connector.files && name === "uploads");
  const plain = config.filter((field) => field !== files);
  const form = useForm<Record<string, unknown>>({
    initialValues: { name: connection?.name ?? "", ...initialValues(config), ...connection?.config, ...initialValues(secrets) },
    onValuesChange: () => draft.reset(), // what was found belongs to the values before
    validate: (values) => validate(connection ? config : [...config, ...secrets], values),
  });
  const draft = $api.useMutation("post", "/api/v1/connections/test", { onError: showFields });
  const stored = $api.useMutation("post", "/api/v1/connections/{id}/test", {
    onSettled: () => (connection ? changed.tested(connection.id) : undefined),
  });

  function showFields(problem: unknown) {
    form.setErrors(fieldErrors(problem));
  }

  function values(): ConnectionValues {
    const all = form.getValues();
    const given = outgoing(secrets.map((field) => ({ ...field, required: false })), all) as Record<string, string>;
    // "***" tells the service to keep what it has.
    const kept = Object.fromEntries(Object.keys(connection?.secrets ?? {}).map((name) => [name, "***"]));
    return { name: String(all.name), config: outgoing(config, all), secrets: { ...kept, ...given } };
  }

  function test() {
    if (connection && !form.isDirty()) return stored.mutate({ params: { path: { id: connection.id } } });
    if (form.validate().hasErrors) return;
    const { config, secrets } = values();
    draft.mutate({ body: { connector: connector.name, config, secrets } });
  }

  const tested = connection && !form.isDirty() ? stored : draft;
  const errors = { ...fieldErrors(error), ...form.errors };
  return (
    <form onSubmit={form.onSubmit(() => onSave(values()))} noValidate>
      <fieldset disabled={readOnly} className="plain-fieldset">
        <Stack className="form">
          <TextInput label="Name" required {...form.getInputProps("name")} error={errors.name} />
          {files && (
            <Uploads field={files} ids={(form.values.uploads as number[]) || []} connectionId={connection?.id} error={errors.uploads} onChange={(ids) => form.setFieldValue("uploads", ids)}
              dialect={connector.name === "csv" ? (form.values as unknown as Dialect) : undefined} onDialect={({ encoding, delimiter, header }) => form.setValues({ encoding, delimiter, header })} />
          )}
          <SchemaFields fields={plain} values={form.values} errors={errors} onChange={(name, value) => form.setFieldValue(name, value)} />
          <SchemaFields fields={secrets} values={form.values} errors={errors} storedSecrets={Boolean(connection)}
            onChange={(name, value) => form.setFieldValue(name, value)} />
          <TestResult result={tested.data} error={tested.error} />
          <ErrorAlert error={error} />
          {!readOnly && (
            <Group>
              <Button variant="default" onClick={test} loading={tested.isPending}>Test</Button>
              <Button type="submit" loading={saving}>{connection ? "Save changes" : "Save connection"}</Button>
            </Group>
          )}
        </Stack>
      </fieldset>
    </form>
  );
}
