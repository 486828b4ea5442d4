/* Make text from files or users safe to print on a terminal. */
#ifndef DD_CLEAN_TEXT_H
#define DD_CLEAN_TEXT_H

/* Make text safe for a terminal, in place: each byte of a control character becomes '?' (C0 except newline and tab,
 * DEL, C1 in UTF-8 or as a single byte). dd_fail does this to every message. */
void dd_clean_text(char *text);

/* The same for a single line: newline and tab are replaced, too. */
void dd_clean_line(char *text);

/* Length in bytes of the UTF-8 sequence at s, 0 if it is not one (RFC 3629). */
int dd_utf8_length(const unsigned char *s);

/* Length in bytes of the control character at s, 0 if there is none. A terminal that does not read UTF-8 takes a single
 * byte from 0x80 to 0x9F for a control character. */
int dd_control_length(const unsigned char *s);

#endif
