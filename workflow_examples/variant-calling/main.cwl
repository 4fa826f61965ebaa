#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: Workflow
label: Variant calling
doc: Map paired reads to a reference genome with Bowtie 2 and call the variants with BCFtools.

inputs:
  reference:
    type: File
    label: Reference genome
    doc: FASTA, compressed with gzip.
  reads_1:
    type: File
    label: First mates
    doc: FASTQ, plain or compressed with gzip.
  reads_2:
    type: File
    label: Second mates
    doc: FASTQ, in the order of the first mates.
  sample:
    type: string
    label: Sample name
    doc: Goes into the read group and is the name of the VCF's sample column.
  threads:
    type: int
    default: 1
    label: Threads of the aligner
  ploidy:
    type: int
    default: 2
    label: Ploidy of the sample

outputs:
  variants:
    type: File
    label: Called variants
    outputSource: call/variants
  alignments:
    type: File
    label: Sorted alignments and their index
    secondaryFiles: [.bai]
    outputSource: sort/sorted
  alignment_report:
    type: File
    label: What Bowtie 2 says of the alignment
    outputSource: align/report

steps:
  unpack:
    run: tools/gunzip.cwl
    in: {packed: reference}
    out: [unpacked]
  index_fasta:
    run: tools/samtools-faidx.cwl
    in: {sequences: unpack/unpacked}
    out: [indexed]
  build_index:
    run: tools/bowtie2-build.cwl
    in: {reference: unpack/unpacked, threads: threads}
    out: [index]
  align:
    run: tools/bowtie2.cwl
    in: {index: build_index/index, reads_1: reads_1, reads_2: reads_2, sample: sample, threads: threads}
    out: [alignments, report]
  sort:
    run: tools/samtools-sort.cwl
    in: {alignments: align/alignments}
    out: [sorted]
  pile_up:
    run: tools/bcftools-mpileup.cwl
    in: {reference: index_fasta/indexed, alignments: sort/sorted}
    out: [likelihoods]
  call:
    run: tools/bcftools-call.cwl
    in: {likelihoods: pile_up/likelihoods, ploidy: ploidy}
    out: [variants]

$namespaces: {s: https://schema.org/}
s:author:
  - class: s:Organization
    s:name: The wfexs-like contributors
s:license: https://spdx.org/licenses/Apache-2.0
s:keywords: [variant calling, read mapping, DNA sequencing, phage lambda]
