import { ColorSwatch } from '@mantine/core';
import classes from './chart.module.css';

/** What a chart draws, each with its colour: one of the tokens of the status colours, or of Mantine's palette. */
export type Series = readonly { name: string; color: string }[];

/** The meaning of the colours. Outside the chart, whose own one keeps a measured width and so can be cut off. */
export function Legend({ series }: { series: Series }) {
  return (
    <ul className={classes.legend}>
      {series.map(({ name, color }) => <li key={name}><ColorSwatch color={color} size={12} withShadow={false} />{name}</li>)}
    </ul>
  );
}

/** What a chart shows, in figures, for who cannot see it. The box around it clips the table, which would not let itself be made small. */
export function ChartTable({ caption, header, rows }: { caption: string; header: readonly string[]; rows: readonly (readonly string[])[] }) {
  return (
    <div className="visually-hidden">
      <table>
        <caption>{caption}</caption>
        <thead><tr>{header.map((cell) => <th key={cell} scope="col">{cell}</th>)}</tr></thead>
        <tbody>{rows.map((row) => <tr key={row[0]}>{row.map((cell, index) => <td key={header[index]}>{cell}</td>)}</tr>)}</tbody>
      </table>
    </div>
  );
}
