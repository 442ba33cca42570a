import { Textarea } from '@mantine/core';
import classes from './json-editor.module.css';

/** What is wrong with the text as JSON, or null; where, when the browser says it. */
export function jsonProblem(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? null : 'This is a JSON object, in braces.';
  } catch (error) {
    return `This is not JSON yet: ${error instanceof Error ? error.message : 'it cannot be read'}.`;
  }
}

interface Props {
  label: string;
  description: string;
  value: string;
  readOnly: boolean;
  /** What the server said of the value; shown until it is edited. */
  serverError: string | null;
  onChange: (text: string) => void;
}

export function JsonEditor({ label, description, value, readOnly, serverError, onChange }: Props) {
  return (
    <Textarea
      label={label} description={description} value={value} readOnly={readOnly} rows={16} spellCheck={false} autoCapitalize="none" autoCorrect="off"
      error={readOnly ? null : jsonProblem(value) ?? serverError} classNames={{ input: classes.input }}
      onChange={(event) => { onChange(event.currentTarget.value); }}
    />
  );
}
