# progress.tsv: one block a contender: ms since the others began to block, share of the speed before, contender.
set grid xtics
plot for [i=0:words(styles)-1] 'progress.tsv' index i using 1:2 with lines lt word(styles, i+1)+0
