/* Text from files or users, made safe for a terminal. */
#ifndef DD_CLEAN_TEXT_H
#define DD_CLEAN_TEXT_H

/* Make text safe for a terminal, in place: each byte of a control character (C0 but newline and tab, DEL, C1 as UTF-8
 * or as a single byte) becomes '?'. dd_fail does it with every message. */
void dd_clean_text(char *text);

/* The same for one line: newline and tab too. */
void dd_clean_line(char *text);

/* Length in bytes of the UTF-8 sequence at s, 0 if it is not one (RFC 3629). */
int dd_utf8_length(const unsigned char *s);

/* Bytes of the control character at s, 0 if there is none. A single byte of 0x80 to 0x9F is one for a terminal that
 * does not read UTF-8. */
int dd_control_length(const unsigned char *s);

#endif
