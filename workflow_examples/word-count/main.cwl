#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: Workflow
label: Word count
doc: Count how often each word occurs in a text, the most frequent first.

inputs:
  text:
    type: File
    label: Text
    doc: Plain text. What is not an ASCII letter parts words; upper and lower case are one.

outputs:
  counts:
    type: File
    label: Words and how often they occur
    outputSource: count/counts

steps:
  split:
    run: split.cwl
    in: {text: text}
    out: [words]
  count:
    run: count.cwl
    in: {words: split/words}
    out: [counts]
