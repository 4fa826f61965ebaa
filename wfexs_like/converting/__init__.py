"""What a crate tells, said in other standards, W3C PROV and BioCompute Objects: made of accounts, nothing invented."""
