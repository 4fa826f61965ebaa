#!/usr/bin/env nextflow

// Map paired reads to a reference genome with Bowtie 2 and call the variants with BCFtools.

include { GUNZIP as UNPACK } from './modules/gunzip/main'
include { SAMTOOLS_FAIDX as INDEX_FASTA } from './modules/samtools-faidx/main'
include { BOWTIE2_BUILD as BUILD_INDEX } from './modules/bowtie2-build/main'
include { BOWTIE2 as ALIGN } from './modules/bowtie2/main'
include { SAMTOOLS_SORT as SORT } from './modules/samtools-sort/main'
include { BCFTOOLS_MPILEUP as PILE_UP } from './modules/bcftools-mpileup/main'
include { BCFTOOLS_CALL as CALL } from './modules/bcftools-call/main'

workflow {
    for (name in ['reference', 'reads_1', 'reads_2', 'sample']) {
        if (!params[name]) {
            error "The parameter ${name} is missing: give it as --${name}"
        }
    }
    // It becomes the name of files, and a part of command lines.
    if (!(params.sample ==~ /[A-Za-z0-9][A-Za-z0-9._-]*/)) {
        error "The sample's name is '${params.sample}': only ASCII letters, digits, dots, dashes and underscores can be"
    }

    reference = file(params.reference, checkIfExists: true, glob: false)
    reads_1 = file(params.reads_1, checkIfExists: true, glob: false)
    reads_2 = file(params.reads_2, checkIfExists: true, glob: false)

    UNPACK(reference)
    INDEX_FASTA(UNPACK.out.unpacked)
    BUILD_INDEX(UNPACK.out.unpacked)
    ALIGN(BUILD_INDEX.out.index, reads_1, reads_2, params.sample)
    SORT(ALIGN.out.alignments)
    PILE_UP(UNPACK.out.unpacked, INDEX_FASTA.out.index, SORT.out.sorted)
    CALL(PILE_UP.out.likelihoods, params.ploidy)
}
