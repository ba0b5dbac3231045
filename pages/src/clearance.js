// Draws the QR code of the page's own address. The rest of the page is the server's and needs no script.

import './style/clearance.css';
import { generate } from 'lean-qr';
import { toSvg } from 'lean-qr/extras/svg';

const place = document.getElementById('code');
if (place) {
  const address = window.location.origin + window.location.pathname;
  place.append(toSvg(generate(address), document, { on: '#000', padX: 0, padY: 0 }));
}
