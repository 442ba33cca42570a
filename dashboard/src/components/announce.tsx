import { useEffect, useState } from 'react';

const messages = new EventTarget();

/** Says something to a screen reader that the eye can see without being told. */
export function announce(text: string): void {
  messages.dispatchEvent(new CustomEvent('say', { detail: text }));
}

/** The one polite live region of the page. */
export function Announcer() {
  const [text, setText] = useState('');
  useEffect(() => {
    const say = (event: Event) => {
      setText((event as CustomEvent<string>).detail);
    };
    messages.addEventListener('say', say);
    return () => {
      messages.removeEventListener('say', say);
    };
  }, []);
  return <div className="visually-hidden" role="status" aria-live="polite">{text}</div>;
}
