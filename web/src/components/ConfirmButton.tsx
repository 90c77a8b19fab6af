import { Button, Group, Modal, Stack, Text, TextInput, type ButtonProps } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState, type ReactNode } from "react";

import { ErrorAlert } from "./ErrorAlert";

interface Question {
  title: string;
  /** What will happen. */
  text: ReactNode;
  confirm: string;
  keep?: string;
  /** A word that must be typed first, for what cannot be taken back lightly. */
  typed?: string;
  /** Of the button that does it; red unless said otherwise. */
  color?: string;
  pending: boolean;
  error: unknown;
}

/** Asks before something is done, and shows why when the service refuses. */
export function ConfirmModal({ opened, onClose, onConfirm, ...question }: Question & { opened: boolean; onClose: () => void; onConfirm: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title={question.title} centered>
      <Asked {...question} onClose={onClose} onConfirm={onConfirm} />
    </Modal>
  );
}

/** Its own component, so that what was typed is forgotten when the question closes. */
function Asked({ text, confirm, keep = "Cancel", typed, color = "red.9", pending, error, onClose, onConfirm }: Omit<Question, "title"> & { onClose: () => void; onConfirm: () => void }) {
  const [word, setWord] = useState("");
  return (
    <form onSubmit={(event) => (event.preventDefault(), onConfirm())}>
      <Stack>
        <Text size="sm" component="div" className="break">{text}</Text>
        {typed && (
          <TextInput label={<>Type <b>{typed}</b> to go on</>} data-autofocus autoComplete="off" spellCheck={false} value={word} onChange={(event) => setWord(event.currentTarget.value)} />
        )}
        <ErrorAlert error={error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{keep}</Button>
          <Button type="submit" color={color} loading={pending} disabled={typed !== undefined && word !== typed}>{confirm}</Button>
        </Group>
      </Stack>
    </form>
  );
}

/** A button that asks first. `onConfirm` gets what closes the question, to call when it is done. */
export function ConfirmButton({ label, ariaLabel, icon, button, onConfirm, ...question }: Question & {
  label: string;
  ariaLabel?: string;
  icon?: ReactNode;
  button?: ButtonProps;
  onConfirm: (done: () => void) => void;
}) {
  const [opened, { open, close }] = useDisclosure();
  return (
    <>
      <Button variant="default" leftSection={icon} onClick={open} aria-label={ariaLabel} {...button}>{label}</Button>
      <ConfirmModal {...question} opened={opened} onClose={close} onConfirm={() => onConfirm(close)} />
    </>
  );
}
