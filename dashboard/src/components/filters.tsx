import { Button } from '@mantine/core';
import { IconFilter, IconFilterOff } from '@tabler/icons-react';
import { Children, useCallback, useState, type ReactNode } from 'react';
import { useSearchParams } from 'react-router';
import classes from './filters.module.css';

/** Filters live in the address; changing one goes back to the first page. */
export function useFilters() {
  const [parameters, setParameters] = useSearchParams();
  const set = useCallback((changes: Record<string, string | readonly string[] | null>) => {
    setParameters((former) => {
      const next = new URLSearchParams(former);
      next.delete('after');
      next.delete('before');
      for (const [name, value] of Object.entries(changes)) {
        const text = Array.isArray(value) ? value.join(',') : value;
        if (text) next.set(name, text as string);
        else next.delete(name);
      }
      return next;
    }, { replace: true });
  }, [setParameters]);
  const text = (name: string) => parameters.get(name) ?? '';
  const list = (name: string) => text(name).split(',').filter(Boolean);
  return { parameters, set, text, list };
}

/** One choice of several, in the address beside whatever else stands there; the first is the usual one and is not written. */
export function useChoice<Value extends string>(name: string, all: readonly [Value, ...Value[]]): [Value, (value: string) => void] {
  const [parameters, setParameters] = useSearchParams();
  const given = parameters.get(name);
  const choose = useCallback((value: string) => {
    setParameters((former) => {
      const next = new URLSearchParams(former);
      if (value === all[0]) next.delete(name);
      else next.set(name, value);
      return next;
    }, { replace: true });
  }, [all, name, setParameters]);
  return [all.find((one) => one === given) ?? all[0], choose];
}

/** The values of a list parameter that the contract knows; an old link can hold others. */
export function known<Value extends string>(values: readonly string[], all: Readonly<Record<Value, unknown>>): Value[] {
  return values.filter((value): value is Value => Object.hasOwn(all, value));
}

/** Filters in a row; in a narrow window all but the first fold away behind a button. */
export function FilterBar({ label, active, onClear, children }: { label: string; active: boolean; onClear: () => void; children: ReactNode }) {
  const [open, setOpen] = useState(false);
  const single = Children.count(children) === 1;
  return (
    <search className={classes.bar} aria-label={label} data-open={open || single || undefined}>
      {!single && (
        <Button
          className={classes.toggle} variant="default" aria-expanded={open} leftSection={<IconFilter size={15} aria-hidden="true" />}
          onClick={() => { setOpen(!open); }}
        >
          {active ? 'Filters (in use)' : 'Filters'}
        </Button>
      )}
      {children}
      {active && (
        <Button variant="subtle" color="gray" size="sm" onClick={onClear} leftSection={<IconFilterOff size={15} aria-hidden="true" />}>
          Clear filters
        </Button>
      )}
    </search>
  );
}
