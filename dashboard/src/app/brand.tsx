import classes from './layout.module.css';

export function Brand() {
  return (
    <span className={classes.brand}>
      <img src="/baton.svg" width={28} height={28} alt="" />
      Baton
    </span>
  );
}
