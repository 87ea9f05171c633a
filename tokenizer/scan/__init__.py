"""Compiled scanners that cut UTF-8 text into the pretokens that a regular expression finds in it."""
