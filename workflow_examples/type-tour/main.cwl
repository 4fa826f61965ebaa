#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: Workflow
label: A tour of CWL's types
doc: |
  One workflow that takes a value of every type and does something visible with each, and that uses every way in which
  CWL combines steps. Made for trying an engine or a crate reader, and to copy from.

requirements:
  InlineJavascriptRequirement: {}
  ScatterFeatureRequirement: {}
  SubworkflowFeatureRequirement: {}
  MultipleInputFeatureRequirement: {}
  StepInputExpressionRequirement: {}
  SchemaDefRequirement:
    types:
      - $import: types.yml

inputs:
  # Scalars
  flag: boolean
  count: int
  distance: long
  ratio: float
  precise: double
  title: string
  # Nothing: left out, null, or with a default
  absent: string?
  no_file: File?
  defaulted:
    type: int
    default: 42
  # Closed choices, unions, anything
  colour: types.yml#colour
  label_or_number: [string, int]
  anything: Any
  # Records and arrays, in each other
  person: types.yml#person
  crew:
    type:
      type: array
      items: types.yml#person
  matrix:
    type:
      type: array
      items:
        type: array
        items: int
  letters: string[]
  numbers: int[]
  # Files
  table:
    type: File
    secondaryFiles: [.about]
  note:
    type: File
    doc: A literal, contents and no location.
  pages: File[]
  shelf: Directory
  box:
    type: Directory
    doc: A literal, with a listing of files from elsewhere.

outputs:
  described: {type: Any, outputSource: describe/described}
  description: {type: File, outputSource: write_description/written}
  badge: {type: string, outputSource: make_badge/badge}
  dot: {type: "string[]", outputSource: pair_dot/pair}
  flat: {type: "string[]", outputSource: pair_flat/pair}
  nested:
    type: {type: array, items: {type: array, items: string}}
    outputSource: pair_nested/pair
  skipped: {type: "string?", outputSource: never/pair}
  chosen: {type: string, outputSource: [never/pair, always/pair], pickValue: first_non_null}
  shouted: {type: "File[]", outputSource: shout/loud}
  sorted: {type: File, secondaryFiles: [.about], outputSource: sort_table/sorted}
  copied: {type: Directory, outputSource: copy_folders/copied}
  names: {type: "string[]", outputSource: copy_folders/names}

steps:
  describe:
    doc: An ExpressionTool of many inputs; its output is a record inside a record.
    run: tools/describe.cwl
    in:
      flag: flag
      count: count
      distance: distance
      ratio: ratio
      precise: precise
      title: title
      absent: absent
      no_file: no_file
      defaulted: defaulted
      colour: colour
      label_or_number: label_or_number
      anything: anything
      person: person
      crew: crew
      matrix: matrix
    out: [described]
  write_description:
    doc: InitialWorkDirRequirement with an object as the contents of a file.
    run: tools/write-json.cwl
    in: {value: describe/described}
    out: [written]
  make_badge:
    doc: A record's fields and an enum on the command line.
    run: tools/badge.cwl
    in: {person: person, colour: colour}
    out: [badge]
  pair_dot:
    run: tools/pair.cwl
    scatter: [letter, number]
    scatterMethod: dotproduct
    in: {letter: letters, number: numbers}
    out: [pair]
  pair_flat:
    run: tools/pair.cwl
    scatter: [letter, number]
    scatterMethod: flat_crossproduct
    in: {letter: letters, number: numbers}
    out: [pair]
  pair_nested:
    run: tools/pair.cwl
    scatter: [letter, number]
    scatterMethod: nested_crossproduct
    in: {letter: letters, number: numbers}
    out: [pair]
  never:
    run: tools/pair.cwl
    when: $(!inputs.flag)
    in:
      flag: flag
      letter: title
      number: count
    out: [pair]
  always:
    run: tools/pair.cwl
    when: $(inputs.flag)
    in:
      flag: flag
      letter: title
      number:
        source: count
        valueFrom: $(self + 1)
    out: [pair]
  shout:
    doc: A subworkflow, scattered, over two sources joined into one list.
    run: tools/shout.cwl
    scatter: quiet
    in:
      quiet:
        source: [pages, note]
        linkMerge: merge_flattened
    out: [loud]
  sort_table:
    doc: A file that has to arrive with its secondary file beside it, and leaves with one.
    run: tools/sort-table.cwl
    in: {table: table}
    out: [sorted]
  copy_folders:
    doc: Two folders put into one, and the names of what lies in it read by the engine.
    run: tools/copy-folders.cwl
    in: {first: shelf, second: box}
    out: [copied, names]
